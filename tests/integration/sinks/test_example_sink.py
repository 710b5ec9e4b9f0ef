"""The sink that the documentation shows: it keeps what sinks promise, and is found by name once installed."""

import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from orchestrator.sinks import Sink
from tests.acceptance.processes import clean_environment, program
from tests.integration.sinks.conformance import ReadBack, SinkConformance
from tests.patience import LONG

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "write-a-sink.md"
DELIVER = """
from orchestrator import wiring
from orchestrator.sinks import Parcel
settings = wiring.read_settings()
catalogue = wiring.catalogue(settings, wiring.open_store(settings), lambda coroutine: None)
for attempt in (1, 2):
    staging = catalogue["filed"].sink.stage(Parcel("job_1.completed.json"), attempt)
    staging.write(b'{"attempt": %d}' % attempt)
    print(staging.publish().location)
"""


def block(language: str) -> str:
    """The page's first example in that language."""
    return PAGE.read_text().partition(f"```{language}\n")[2].partition("```")[0]


def rows(file: Path) -> dict[str, bytes]:
    with closing(sqlite3.connect(file)) as connection:
        return dict(connection.execute("SELECT name, body FROM documents"))


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The module of the page."""
    file = tmp_path_factory.mktemp("example") / "rows_sink.py"
    file.write_text(block("python"))
    spec = importlib.util.spec_from_file_location("rows_sink", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestExampleSink(SinkConformance):
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return tmp_path / "documents.db"

    @pytest.fixture
    def sink(self, example: ModuleType, file: Path) -> Sink:
        kind = example.RowsSink
        made: Sink = kind.build(kind.Options(file=file), None)
        made.check()
        return made

    @pytest.fixture
    def read_back(self, file: Path) -> ReadBack:
        return lambda name: rows(file).get(name)


def test_it_is_as_short_as_it_is_said_to_be() -> None:
    body = block("python").partition("class RowsSink")[2]
    assert 30 <= len([line for line in body.splitlines() if line.strip()]) <= 40


def test_installed_as_a_package_it_is_found_by_its_name_and_delivered_through(tmp_path: Path) -> None:
    package, target = tmp_path / "package", tmp_path / "installed"
    package.mkdir()
    (package / "rows_sink.py").write_text(block("python"))
    (package / "pyproject.toml").write_text(block("toml"))
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    install = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(package)]
    environment = clean_environment(
        PYTHONPATH=str(target),
        ORCHESTRATOR_DATA_DIR=str(tmp_path / "data"),
        ORCHESTRATOR_OUTPUT_DIR=str(tmp_path / "outputs"),
    )
    documents = tmp_path / "documents.db"
    add = ["destinations", "add", "filed", "--type", "rows", "--option", f"file={documents}", "--json"]
    run(install, os.environ)
    added = json.loads(run(program(*add), environment))
    assert (added["type"], added["deliver"]) == ("rows", "link")
    said = run([sys.executable, "-c", DELIVER], environment)
    assert said.split() == [f"{documents}#job_1.completed.json"] * 2
    assert rows(documents) == {"job_1.completed.json": b'{"attempt": 1}'}


def run(command: list[str], environment: "os._Environ[str] | dict[str, str]") -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, env=dict(environment), timeout=LONG, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
