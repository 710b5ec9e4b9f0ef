"""Checks made at the same time, each within a limit: most of them wait for somebody else."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue

from orchestrator import wiring
from orchestrator.cli.findings import Finding
from orchestrator.settings import PREFIX

_LAST = sys.maxsize  # after whatever a check found before


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at, and the settings without which that makes no sense.

    What it gives is told as far as it came. Further checks among it are made at the same time.
    """

    what: str
    look: Callable[[], Iterable[Finding | Check]]
    needs: frozenset[str] = frozenset()


# Where something stands among all that was found: the number of its check, and in that its own.
Place = tuple[int, ...]


@dataclass(slots=True)
class _Round:
    """What is under way, and what was found so far."""

    wrong: frozenset[str]
    came: SimpleQueue[tuple[Place, Finding | Check | None]] = field(default_factory=SimpleQueue)
    open: dict[Place, Check] = field(default_factory=dict)
    found: list[tuple[Place, Finding]] = field(default_factory=list)

    def begin(self, place: Place, check: Check) -> None:
        if check.needs & self.wrong:
            self.found.append((place, _not_made(check, self.wrong)))
            return
        self.open[place] = check
        # Daemons: what hangs in a connection does not hold up the end of the program.
        threading.Thread(target=self._look, args=(place, check), daemon=True).start()

    def take(self, within: float) -> bool:
        """Wait for something, and note it; whether it came in time."""
        try:
            place, came = self.came.get(timeout=max(0.0, within))
        except Empty:
            return False
        if came is None:
            del self.open[place]
        elif isinstance(came, Check):
            self.begin(place, came)
        else:
            self.found.append((place, came))
        return True

    def _look(self, place: Place, check: Check) -> None:
        try:
            for number, one in enumerate(check.look()):
                self.came.put(((*place, number), one))
        except Exception as error:  # noqa: BLE001 - a bug of ours: what the others found is told all the same
            self.came.put(((*place, _LAST), _broken(check, error)))
        finally:
            self.came.put((place, None))


def look_at_all(checks: Sequence[Check], wrong: frozenset[str], *, within: float) -> list[Finding]:
    """As `side_by_side`, while a person who looks on is told what is still waited for."""
    with _shown() as show:
        return side_by_side(checks, wrong, within=within, show=show)


def side_by_side(
    checks: Sequence[Check],
    wrong: frozenset[str] = frozenset(),
    *,
    within: float,
    show: Callable[[list[str]], None] = lambda _: None,
) -> list[Finding]:
    """What was found, in the order of the checks; one that needs a `wrong` setting is told as not made."""
    all_of_them, until = _Round(wrong), wiring.monotonic() + within
    for number, one in enumerate(checks):
        all_of_them.begin((number,), one)
    while all_of_them.open:
        show([one.what for one in all_of_them.open.values()])
        if not all_of_them.take(until - wiring.monotonic()):
            break
    late = [((*place, _LAST), _too_late(one, within)) for place, one in all_of_them.open.items()]
    return [one for _, one in sorted(all_of_them.found + late, key=lambda found: found[0])]


def _not_made(check: Check, wrong: frozenset[str]) -> Finding:
    names = [PREFIX + name.upper() for name in sorted(check.needs & wrong)]
    found = f"not looked at: {', '.join(names)} {'is' if len(names) == 1 else 'are'} wrong"
    return Finding("warn", check.what, found, "correct that, and check again")


def _too_late(check: Check, within: float) -> Finding:
    hint = "whatever it waits for takes connections and does not answer: see the network and what runs there"
    return Finding("fail", check.what, f"nothing more came of it within {within:.0f} s", hint)


def _broken(check: Check, error: Exception) -> Finding:
    """The kind and the place alone: the words of a foreign error may have a secret in them."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    found = f"the check broke: {type(error).__name__} in {Path(at.filename).name}, line {at.lineno}"
    hint = "this is a bug of the orchestrator: report it with this line; it says nothing about your set-up"
    return Finding("fail", check.what, found, hint)


@contextmanager
def _shown() -> Iterator[Callable[[list[str]], None]]:
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("checking") as status:
        yield lambda names: status.update(f"checking: {', '.join(names)}")
