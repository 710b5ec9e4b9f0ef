"""Checks made at the same time, each within a limit: most of them wait for somebody else."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from orchestrator import wiring
from orchestrator.cli.findings import Finding
from orchestrator.settings import PREFIX, Problem, Settings

Found = tuple[int, list[Finding] | Exception]


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at, and the settings that it goes by."""

    what: str
    look: Callable[[Settings], list[Finding]]
    needs: frozenset[str] = frozenset()


def look_at_all(
    checks: Sequence[Check], settings: Settings, problems: Sequence[Problem], *, within: float
) -> list[Finding]:
    """What was found, in the order of the checks. One whose settings are wrong is not made, and says so."""
    wrong = frozenset(name for one in problems for name in one.fields)
    found = {number: _not_made(one, wrong) for number, one in enumerate(checks) if one.needs & wrong}
    asked = {number: one for number, one in enumerate(checks) if number not in found}
    found |= _looked(asked, settings, within)
    late = {number: _too_late(checks[number], within) for number in asked if number not in found}
    return [one for _, several in sorted((found | late).items()) for one in several]


def _looked(asked: dict[int, Check], settings: Settings, within: float) -> dict[int, list[Finding]]:
    answers: SimpleQueue[Found] = SimpleQueue()
    for number, one in asked.items():
        # Daemons: what hangs in a connection does not hold up the end of the program.
        threading.Thread(target=_look, args=(answers, number, one, settings), daemon=True).start()
    found: dict[int, list[Finding]] = {}
    until = wiring.monotonic() + within
    with _shown() as show:
        while len(found) < len(asked):
            show([one.what for number, one in asked.items() if number not in found])
            try:
                number, came = answers.get(timeout=max(0.0, until - wiring.monotonic()))
            except Empty:
                break
            if isinstance(came, Exception):
                raise came  # a bug of ours: shown whole
            found[number] = came
    return found


def _look(answers: SimpleQueue[Found], number: int, check: Check, settings: Settings) -> None:
    try:
        answers.put((number, check.look(settings)))
    except Exception as error:  # noqa: BLE001 - raised again by whoever waits for it
        answers.put((number, error))


def _not_made(check: Check, wrong: frozenset[str]) -> list[Finding]:
    names = ", ".join(PREFIX + name.upper() for name in sorted(check.needs & wrong))
    return [Finding("warn", check.what, f"not looked at: {names} is wrong", "correct that, and check again")]


def _too_late(check: Check, within: float) -> list[Finding]:
    hint = "whatever it waits for takes connections and does not answer: see the network and what runs there"
    return [Finding("fail", check.what, f"nothing came of it within {within:.0f} s", hint)]


@contextmanager
def _shown() -> Iterator[Callable[[list[str]], None]]:
    """Tells a person who looks on what is still waited for."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("checking") as status:
        yield lambda names: status.update(f"checking: {', '.join(names)}")
