"""The goals, and whether they are reached: worked out from what was measured, never written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.peers.rows import Work
from tests.benchmarks.peers.summary import Result, Results, best
from tests.benchmarks.peers.systems import DURABLE_PEERS, PEERS

OURS, EMBEDDED, CELERY = "ours", "ours-embedded", "celery"


@dataclass(frozen=True)
class Goal:
    """A number, and how much it may be at most, or must be at least."""

    what: str
    found: float
    limit: float
    at_most: bool = True
    digits: int = 0

    @property
    def reached(self) -> bool:
        return self.found <= self.limit if self.at_most else self.found >= self.limit

    def row(self) -> list[str]:
        """As the page shows it."""
        bound = "at most" if self.at_most else "at least"
        limit, found = (f"{one:,.{self.digits}f}" for one in (self.limit, self.found))
        return [self.what, f"{bound} {limit}", found, "reached" if self.reached else "**not reached**"]


def goals(found: Results) -> Iterator[Goal]:
    """Those that the comparison itself decides, as far as it was measured.

    None where webhooks are dropped: there, the slowest of all are found by the same guidance.
    """
    for work, by in found.items():
        if OURS in by and work.condition == "killed":
            yield from _killed(work, by)
        elif OURS in by and work.condition == "plain":
            yield from _quick(work, by)
        elif OURS in by and work.condition == "polled":
            yield from _polled(work, by)
        if EMBEDDED in by and work.condition == "plain" and work.jobs == 200:
            yield from _goal(f"embedded, {_told(work)}: p50, ms", by[EMBEDDED].median("p50"), 25.0)


def _quick(work: Work, by: dict[str, Result]) -> Iterator[Goal]:
    ours, told = by[OURS], _told(work)
    durable = [by[name] for name in DURABLE_PEERS if name in by]
    quickest = best(one.median("p50") for one in durable)
    yield from _goal(f"{told}: p50, ms; the quickest durable peer's", ours.median("p50"), quickest)
    if CELERY in by:
        twice = 2 * (by[CELERY].median("p50") or 0.0)
        yield from _goal(f"{told}: p50, ms; twice plain Celery's", ours.median("p50"), twice)
    slowest = best(one.median("p99") for one in durable)
    fifth = slowest and slowest / 5
    yield from _goal(f"{told}: p99, ms; a fifth of the best durable peer's", ours.median("p99"), fifth)
    cheapest = best(one.processor("own", "servers").median for one in durable)
    share = cheapest and 0.6 * cheapest
    spent = ours.processor("own", "servers").median
    yield from _goal(f"{told}: processor, s; 0.6 of the best durable peer's", spent, share, digits=1)
    quickest = best((by[name].median("accepted_per_second") for name in PEERS if name in by), least=False)
    accepted = ours.median("accepted_per_second")
    yield from _goal(f"{told}: accepted a second; the best peer's", accepted, quickest, at_most=False)


def _killed(work: Work, by: dict[str, Result]) -> Iterator[Goal]:
    ours, told = by[OURS], _told(work)
    yield Goal(f"{told}: handed off, the worst run", work.jobs - ours.worst("lost"), work.jobs, at_most=False)
    yield Goal(f"{told}: handed off more than once, the worst run", ours.worst("doubled"), 0)
    for name in ("p50", "p99"):
        soonest = best(by[peer].median(name) for peer in PEERS if peer in by)
        yield from _goal(f"{told}: {name}, ms; the soonest peer's", ours.median(name), soonest)


def _polled(work: Work, by: dict[str, Result]) -> Iterator[Goal]:
    most = best((by[peer].states_a_processor_second().median for peer in PEERS if peer in by), least=False)
    read = by[OURS].states_a_processor_second().median
    what = f"{_told(work)}: states read a processor second; the best peer's"
    yield from _goal(what, read, most, at_most=False)


def _goal(what: str, found: float | None, limit: float | None, **more: Any) -> Iterator[Goal]:
    """None where there is nothing to compare with."""
    if found is not None and limit is not None:
        yield Goal(what, found, limit, **more)


def _told(work: Work) -> str:
    return f"{work.jobs:,} of {work.shortest:g} to {work.longest:g} s, {work.condition}"
