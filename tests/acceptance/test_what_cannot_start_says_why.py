"""A setting, a folder or a database that cannot work: refused at the start, by name, with a way out."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.exits import Exit
from tests.acceptance.conftest import Begin, Deploy
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import Sandbox

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown setting": (
        {"outptu_dir": "x"},
        "ORCHESTRATOR_OUTPTU_DIR (did you mean ORCHESTRATOR_OUTPUT_DIR?)",
    ),
    "a URL that is none": ({"gateway_url": "phaseo"}, "ORCHESTRATOR_GATEWAY_URL: is not an http(s) URL"),
    "an endpoint id that is no UUID": ({"webhook_endpoint_id": "7"}, "ENDPOINT_ID: is not a UUID"),
    "a number out of its range": ({"port": 70_000}, "ORCHESTRATOR_PORT: "),
    "no key": ({"gateway_api_key": ""}, "set ORCHESTRATOR_GATEWAY_API_KEY"),
    "a file where results are to go": ({"output_dir": "/dev/null/results"}, "/dev/null/results"),
}
NEEDED = {  # by each of several processes
    "web": ["database_url", "broker_url"],
    "worker": ["database_url", "broker_url", "gateway_api_key"],
    "beat": ["broker_url"],
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_setting_that_cannot_work_is_named(what: str, begin: Begin, sandbox: Sandbox) -> None:
    settings, words = REFUSED[what]
    orchestrator = begin(sandbox)
    assert orchestrator.launch(**settings).wait() == Exit.USAGE
    said = orchestrator.process.complained()
    assert words in said
    assert said.startswith("error: ")
    assert "Traceback" not in said
    assert not sandbox.requests(path="/v1/videos")


@pytest.mark.parametrize(("role", "missing"), [(role, one) for role in NEEDED for one in NEEDED[role]])
def test_a_role_without_what_it_needs_names_it(
    role: str, missing: str, deploy: Deploy, sandbox: Sandbox
) -> None:
    without: dict[str, Any] = {missing: ""}
    process = deploy(sandbox).launch(role, **without)
    assert process.wait(60) == Exit.USAGE, process.complained()
    assert f"set ORCHESTRATOR_{missing.upper()}" in process.complained()
    assert not process.events(), "it had begun"


def test_a_database_of_a_newer_version_is_left_untouched(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.database.submit(wanted())
    orchestrator.database.store.close()
    file = Path(orchestrator.settings["ORCHESTRATOR_DATA_DIR"]) / "orchestrator.db"
    connection = sqlite3.connect(file)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    before = file.read_bytes()

    assert orchestrator.launch().wait() == Exit.STORE
    assert "written by a newer version of this program (revision 9999)" in orchestrator.process.complained()
    assert file.read_bytes() == before
