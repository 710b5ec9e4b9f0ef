"""Programs that the demo starts, watches, and ends: its own only."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from orchestrator.errors import OrchestratorError

READY_WITHIN = 60.0  # seconds
STOP_WITHIN = 10.0
TAIL = 12  # lines

T = TypeVar("T")


class Child:
    """One process, with its output and its log in files."""

    def __init__(
        self, name: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self._out, self._log = folder / f"{name}.out", folder / f"{name}.log"
        with self._out.open("wb") as out, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env=dict(environment),
                start_new_session=True,  # Ctrl-C is for the demo, which then stops its processes in order
            )

    def first_line(self) -> str:
        """What it says once it is ready. Raises OrchestratorError if it does not get there."""
        line = until(self._line, READY_WITHIN, self.require_alive)
        if line is None:
            raise OrchestratorError(f"{self.name} was not ready in {READY_WITHIN:g} s", hint=self.tail())
        return line

    def require_alive(self) -> None:
        """Raise OrchestratorError with the end of its log if it has died."""
        code = self._process.poll()
        if code is not None:
            how = f"exit code {code}" if code >= 0 else f"signal {-code}"
            raise OrchestratorError(f"{self.name} ended by itself ({how})", hint=self.tail())

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self._log.read_text(errors="replace").splitlines()[-TAIL:]
        return "\n  ".join([f"the end of {self._log}:", *(lines or ["(nothing)"])])

    def stop(self) -> None:
        """Ask it to end, and make sure that it does."""
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _line(self) -> str | None:
        text = self._out.read_text(errors="replace")
        return text.splitlines()[0] if "\n" in text else None


def until(see: Callable[[], T | None], seconds: float, each_time: Callable[[], None]) -> T | None:
    """The first thing that is seen within a time, or None."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        each_time()
        found = see()
        if found is not None:
            return found
        time.sleep(0.02)
    return None
