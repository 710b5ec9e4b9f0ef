"""The places of a deployment's processes, looked after as a supervisor does: who ends is started again."""

import os
import signal
import time
from typing import Any

from tests.acceptance.fleet import Fleet
from tests.acceptance.processes import Child

LEAVES_WITHIN = 120.0  # seconds after SIGTERM: the drain of 30 s, and a busy machine


class Slot:
    """One process after the other in one place."""

    def __init__(self, fleet: Fleet, name: str, port: int | None = None) -> None:
        self.name, self._role = name, name.partition(" ")[0]
        self._fleet = fleet
        self._settings: dict[str, Any] = {} if port is None else {"port": port}
        self._child: Child | None = None
        self._away = False
        self._told_to_leave: float | None = None
        self.wrong: list[str] = []

    @property
    def child(self) -> Child:
        """The latest process."""
        assert self._child is not None
        return self._child

    def start(self) -> None:
        """Start a process, without waiting for it."""
        self._away, self._told_to_leave = False, None
        self._child = self._fleet.launch(self._role, **self._settings)

    def kill(self) -> None:
        """End it as a power cut would; whoever does starts it again."""
        self._away = True
        if self.child.alive:
            self.child.kill()

    def terminate(self) -> None:
        """Ask it to end; it is started again once it has."""
        self._told_to_leave = time.monotonic()
        self._signal(signal.SIGTERM)

    def hold(self) -> None:
        """Let it stand still."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, what: signal.Signals) -> None:
        if self.child.alive:
            os.kill(self.child.pid, what)

    def look_after(self) -> None:
        """Start it again if it has ended; note what ought not to have happened."""
        if self._away:
            return
        asked = self._told_to_leave
        if self.child.alive:
            if asked is not None and time.monotonic() > asked + LEAVES_WITHIN:
                self.wrong.append(f"{self._which} did not leave within {LEAVES_WITHIN:g} s of SIGTERM")
                self.child.kill()
                self.start()
            return
        code = self.child.wait()
        early = code == -signal.SIGTERM and not self.child.events()  # it had not come so far as to be asked
        if asked is None or (code and not early):
            asked_or_not = "though nobody asked it to" if asked is None else "when asked to leave"
            self.wrong.append(f"{self._which} ended with {code} {asked_or_not}: {self._last_words()}")
        self.start()

    @property
    def _which(self) -> str:
        return f"{self.name} ({self.child.err.stem})"

    def _last_words(self) -> str:
        lines = self.child.complained().strip().splitlines()
        return lines[-1][-300:] if lines else "it said nothing"
