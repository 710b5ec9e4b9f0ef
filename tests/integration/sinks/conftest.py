"""A folder as destination, and attempts at it in other processes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.sinks.folder import FolderSink
from tests.patience import LONG

ROOT = Path(__file__).parents[3]
PROGRAM = [sys.executable, "-m", "tests.integration.sinks.attempt_process"]  # to be run in ROOT
Attempt = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def folder_sink(folder: Path) -> FolderSink:
    sink = FolderSink(folder)
    sink.check()
    return sink


@pytest.fixture
def attempt() -> Attempt:
    """Runs one action of `attempt_process.py` to its end."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [*PROGRAM, *map(str, arguments)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONG, check=False)

    return run
