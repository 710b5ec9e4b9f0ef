"""Processes started by a test: what they say goes to files, and each is ended by its own id."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import ports
from tests.acceptance.waiting import LONG, until
from tests.forked import client as forked

ROOT = Path(__file__).parents[2]
DIED = -9  # the return code after SIGKILL
free_port = ports.free_port


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without any setting of ours but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # or each of hundreds of processes compiles our modules anew
    return kept | more


class Child:
    """One run of a program, with its output in two files of a folder.

    Runs of our own are forks of a process that has everything loaded, where tests want that, unless `anew`.
    """

    def __init__(
        self,
        command: list[str],
        folder: Path,
        name: str,
        environment: Mapping[str, str],
        *,
        anew: bool = False,
    ) -> None:
        self.out, self.err = folder / f"{name}.out", folder / f"{name}.err"
        self._events: list[dict[str, Any]] = []
        self._read = 0  # bytes of standard error that were looked through for them
        self._process: subprocess.Popen[bytes] | forked.Fork
        with Path(os.devnull).open("rb") as nothing, self.out.open("wb") as out, self.err.open("wb") as err:
            if not anew and forked.can_run(command, environment):
                self._process = forked.Fork(command, ROOT, environment, (nothing, out, err))
            else:
                self._process = subprocess.Popen(
                    command, cwd=ROOT, env=dict(environment), stdin=nothing, stdout=out, stderr=err
                )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def said(self) -> str:
        """Standard output so far."""
        return self.out.read_text(errors="replace")

    def complained(self) -> str:
        """Standard error so far."""
        return self.err.read_text(errors="replace")

    def events(self) -> list[dict[str, Any]]:
        """The log lines so far; one that is still being written is left for later."""
        with self.err.open("rb") as err:
            err.seek(self._read)
            whole, newline, _ = err.read().rpartition(b"\n")
        self._read += len(whole + newline)
        lines = whole.split(b"\n")
        self._events += [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"}")]
        return self._events

    def wait(self, seconds: float = LONG) -> int:
        """Its return code, once it has ended by itself."""
        return self._process.wait(seconds)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        assert self._process.wait(LONG) == DIED, "it had ended before it was killed"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let it stand still meanwhile."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def terminate(self, seconds: float = LONG) -> int:
        """Ask it to end; its return code."""
        self._process.terminate()
        return self._process.wait(seconds)

    def end(self) -> None:
        """Make sure that it is gone."""
        if self.alive:
            self._process.kill()
        self._process.wait(LONG)

    def until_said(self, words: str, seconds: float = LONG) -> str:
        """The first line of its standard output that contains the words."""

        def line() -> str | None:
            assert self.alive, f"it ended with {self.wait()}:\n{self.complained()}"
            lines = self.said().splitlines(keepends=True)
            return next((one.strip() for one in lines if words in one and one.endswith("\n")), None)

        return str(until(f"{words!r} on standard output", line, seconds))


def program(*arguments: str) -> list[str]:
    """Our own command line."""
    return [str(forked.PROGRAM), *arguments]


def module(name: str, *arguments: str) -> list[str]:
    """A module run as a program."""
    return [sys.executable, "-m", name, *arguments]
