"""How a process is told to stop, and that nothing it waits for can keep it."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.sandbox.harness import until

WAITS = """
import os, signal
from orchestrator.processes.stopping import stop_signal
stopping = stop_signal()
ours = signal.getsignal(signal.SIGTERM)

def heard(number, frame):
    ours(number, frame)
    os.write(1, b"heard" + os.linesep.encode())

signal.signal(signal.SIGTERM, heard)
print("ready", flush=True)
stopping.wait()
print("told", flush=True)
input()
"""
LEAVES = """
import threading, time
from orchestrator import wiring
threading.Thread(target=time.sleep, args=(600,), daemon={daemon}).start()
print("done", end="")
wiring.leave_threads()
"""

Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    begun: list[subprocess.Popen[str]] = []

    def begin(script: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        begun.append(process)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def _told(start: Start, number: signal.Signals) -> subprocess.Popen[str]:
    process = start(WAITS)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    if number == signal.SIGTERM:
        assert process.stdout.readline() == "heard\n"
    assert process.stdout.readline() == "told\n"
    return process


def test_a_second_interrupt_ends_it_at_once(start: Start) -> None:
    process = _told(start, signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == -signal.SIGINT


def test_a_second_sigterm_changes_nothing(start: Start) -> None:
    process = _told(start, signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    assert process.stdout
    assert process.stdout.readline() == "heard\n"
    process.communicate("go on\n")
    assert process.returncode == 0


@pytest.mark.parametrize("daemon", [True, False])
def test_a_thread_that_still_waits_does_not_keep_it(start: Start, daemon: bool) -> None:
    process = start(LEAVES.format(daemon=daemon))
    until(lambda: process.poll() is not None)
    assert process.returncode == 0
    assert process.communicate()[0] == "done", "what it said was not all written"
