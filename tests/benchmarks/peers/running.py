"""Processes of a run: started in sessions of their own, killed at any moment, and what they used."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.acceptance.processes import ROOT
from tests.acceptance.waiting import until
from tests.servers.processes import descendants, launched

TICKS = os.sysconf("SC_CLK_TCK")
READY = 60.0


class Process:
    """One program with its output in files. It is not waited for before `end`: what it used is still told."""

    def __init__(self, command: list[str], folder: Path, name: str, environment: Mapping[str, str]) -> None:
        self.name, self.out, self.err = name, folder / f"{name}.out", folder / f"{name}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self._process = subprocess.Popen(
                launched(command, user=""),  # gone with us, however we end
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def until_said(self, words: str, seconds: float = READY, *, every: float = 0.02) -> None:
        """Wait until a line of its standard output is this."""

        def said() -> bool:
            if words in self.out.read_text(errors="replace").splitlines():
                return True
            assert _state(self.pid) != "Z", f"{self.name} has ended:\n{self.complained()}"
            return False

        until(f"{self.name} says {words!r}", said, seconds, every)

    def complained(self) -> str:
        """The end of what it wrote to standard error."""
        return self.err.read_text(errors="replace")[-4_000:]

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def end(self) -> None:
        """End it as a power cut would, with whatever it started."""
        kill_all([self.pid])
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def kill_all(roots: Iterable[int]) -> None:
    """SIGKILL for these and all below them."""
    for pid in [one for root in roots for one in (root, *descendants(root))]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def processor_seconds(roots: Iterable[int]) -> float:
    """What these, all below them, and their children that ended have used, dead or alive."""
    return sum(_used(pid) for root in roots for pid in (root, *descendants(root)))


def _used(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # ended since it was listed: its parent has its time
    return sum(map(int, fields[11:15])) / TICKS


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def now() -> float:
    """The clock of the world: the machine's, and the same in every process."""
    return time.monotonic()
