"""A server's processes: started by us, stopped, paused and killed as a whole, each by its id."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.patience import LONG

_LAUNCH = Path(__file__).with_name("launch.py")
# Linux ends a child with the thread that started it, so one thread starts all and lives as long as we do.
_starter = ThreadPoolExecutor(1, "starts servers")


class ServerBroken(Exception):
    """A server did not do what it was told; the message ends with what it said."""


def launched(command: Sequence[str], user: str, death_signal: int = signal.SIGKILL) -> list[str]:
    """The command, run as `user` (empty: as we are) and ended with us."""
    before = [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid()), user, str(int(death_signal))]
    return [*before, *command]


def clean_environment() -> dict[str, str]:
    """Ours, without what would point a server elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}


class ServerProcess:
    """One run of a server, with whatever processes it starts."""

    def __init__(self, command: Sequence[str], log: Path, *, user: str, death_signal: int) -> None:
        self._log = log
        self._process = _starter.submit(self._start, launched(command, user, death_signal)).result()

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self._log.parent,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def said(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-4_000:]

    def until(self, answers: Callable[[], bool], seconds: float = LONG) -> None:
        """Wait until it answers."""
        end = time.monotonic() + seconds
        while not answers():
            if not self.alive:
                raise ServerBroken(f"the server ended with {self._process.returncode}:\n{self.said()}")
            if time.monotonic() > end:
                raise ServerBroken(f"the server did not answer within {seconds:g} s:\n{self.said()}")
            time.sleep(0.01)

    def stop(self, how: signal.Signals, seconds: float = LONG) -> None:
        """Ask it to stop, and wait."""
        if not self.alive:
            return
        self._process.send_signal(how)
        self._process.send_signal(signal.SIGCONT)  # or a paused one would not hear it
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerBroken(f"the server did not stop within {seconds:g} s:\n{self.said()}") from None

    def pause(self) -> list[int]:
        """Hold every process of it, the parent first so that it starts no further one."""
        if not self.alive:
            return []
        self._process.send_signal(signal.SIGSTOP)
        children = descendants(self.pid)
        for pid in children:
            _send(pid, signal.SIGSTOP)
        return children

    def resume(self) -> None:
        """Let all of it go on."""
        for pid in (*descendants(self.pid), self.pid):
            _send(pid, signal.SIGCONT)

    def kill(self) -> None:
        """End all of it as a power cut would."""
        children = self.pause()
        self._process.kill()
        for pid in children:
            _send(pid, signal.SIGKILL)
        self._process.wait(LONG)
        end = time.monotonic() + LONG
        while any(runs(pid) for pid in children):
            if time.monotonic() > end:
                raise ServerBroken(f"children of the server did not die: {children}")
            time.sleep(0.002)


def descendants(pid: int) -> list[int]:
    """The ids of a process's children and theirs."""
    of: dict[int, list[int]] = {}
    for child, parent, _ in _process_table():
        of.setdefault(parent, []).append(child)
    found, open_ = [], [pid]
    while open_:
        children = of.get(open_.pop(), [])
        found += children
        open_ += children
    return found


def runs(pid: int) -> bool:
    """Whether there is such a process; one that has ended and waits to be noticed is none."""
    return any(pid == one and state != "Z" for one, _, state in _process_table())


def _process_table() -> list[tuple[int, int, str]]:
    """Process id, parent's id and state letter of all there are."""
    if sys.platform != "linux":
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,state="], capture_output=True, check=True)
        rows = (line.split() for line in listed.stdout.decode().splitlines())
        return [(int(row[0]), int(row[1]), row[2][0]) for row in rows]
    table = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            state, parent = file.read_text().rpartition(")")[2].split()[:2]
            table.append((int(file.parent.name), int(parent), state))
    return table


def _send(pid: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, what)
