"""A worker goes after others on its machine, in its session and, where that is its own, between sessions."""

import subprocess
import sys
from pathlib import Path

import pytest

SAY = """
import os, pathlib, sys
from orchestrator.processes.yielding import be_nice
before = os.nice(0)
be_nice(int(sys.argv[1]))
session = pathlib.Path("/proc/self/autogroup")
print(os.nice(0) - before, session.read_text().split()[-1] if session.exists() else "-")
"""
SESSIONS = Path("/proc/self/autogroup").exists()


@pytest.mark.parametrize(("by", "leads", "of_session"), [(0, True, 0), (7, True, 7), (7, False, 0)])
def test_a_process_yields_and_its_session_does_where_it_leads_it(
    by: int, leads: bool, of_session: int
) -> None:
    command = [sys.executable, "-c", SAY, str(by)]
    if not leads:
        command = [sys.executable, "-c", f"import subprocess; subprocess.run({command!r}, check=True)"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, start_new_session=True)
    assert said.stdout.split() == [str(by), str(of_session) if SESSIONS else "-"]
