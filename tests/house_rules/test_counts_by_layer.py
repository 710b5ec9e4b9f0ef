"""The plugin that counts tests by layer: a skipped test fails a run that allows none, and is named."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import LONG

ROOT = Path(__file__).parents[2]
TWO = """
import pytest

def test_that_runs():
    pass

@pytest.mark.skipif({skipped}, reason="not here")
def test_that_may_not():
    pass
"""


def run(folder: Path, *options: str, skipped: bool) -> subprocess.CompletedProcess[str]:
    """A run of two tests of the layer `unit`."""
    (folder / "tests" / "unit").mkdir(parents=True)
    (folder / "tests" / "unit" / "test_two.py").write_text(TWO.format(skipped=skipped))
    (folder / "pytest.ini").touch()
    plugins = ["-p", "tests.counts_by_layer", "-p", "no:schemathesis"]  # which takes a second to load
    command = [sys.executable, "-m", "pytest", *plugins, *options, "tests"]
    environment = {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LONG, check=False
    )


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_skipped_test_fails_a_run_that_allows_none_and_is_named(tmp_path: Path, workers: str) -> None:
    done = run(tmp_path, "--no-skips", "-n", workers, skipped=True)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "skipped, which fails the run: tests/unit/test_two.py::test_that_may_not" in done.stdout
    assert "unit          1 passed, 1 skipped" in done.stdout


@pytest.mark.parametrize(("options", "skipped"), [(["--no-skips"], False), ([], True)])
def test_other_runs_are_left_alone(tmp_path: Path, options: list[str], skipped: bool) -> None:
    done = run(tmp_path, *options, skipped=skipped)
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr
    assert "which fails the run" not in done.stdout
