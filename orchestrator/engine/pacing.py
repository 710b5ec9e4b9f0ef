"""Choosing the moments to look, off the hot path: schedules follow what is known as it moves."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.learned.change import SURPRISING, surprise
from orchestrator.core.learned.classes import UNKNOWN, everywhere, parts, wider
from orchestrator.core.learned.endings import Endings, read_endings
from orchestrator.core.learned.estimate import ENOUGH_JOBS, SILENT_FOR, schedule_of, teaching
from orchestrator.core.learned.hooks import Health, Hooks, read_hooks
from orchestrator.core.learned.paces import Schedule
from orchestrator.core.learned.spans import together
from orchestrator.engine.context import Context
from orchestrator.engine.legible import legible
from orchestrator.settings import Settings
from orchestrator.store import estimates
from orchestrator.store.database import Transaction
from orchestrator.store.estimates import EstimateKind
from orchestrator.telemetry import Event, log

OVERLAP = 12.0  # seconds that a transaction of a learner may take between its beginning and its end
MOVED = 0.05  # of what a schedule rests on: by so much more or less it is made anew
MADE_AT_ONCE = 8  # schedules of one call, some milliseconds each: the others follow in the next
MADE_AT_START = 100
KEPT = 1_000  # schedules, thirty kilobytes each: who submits jobs names their models

Pair = tuple[str, str | None]  # a class and a channel
Basis = tuple[float | str | None, ...]
Thing = tuple[EstimateKind, str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the schedule of a pair rests on: `endings` of its class or of all sizes, named `about`."""

    about: str
    endings: Endings
    hooks: Hooks | None

    def silent_until(self) -> float | None:
        """Until when the guidance is followed because webhooks stopped."""
        if self.hooks is None or self.hooks.health is not Health.SILENT:
            return None
        return (self.hooks.health_since or 0.0) + SILENT_FOR

    def basis(self) -> Basis:
        """The same in a few numbers; while they hardly move the schedule stays."""
        still_open = sum(cohort.still_open.total for cohort in self.endings.cohorts)
        told = (self.about, self.endings.ended, self.endings.ended + still_open, self.endings.hint)
        taught = teaching(self.endings, self.hooks)
        hooks = self.hooks
        if hooks is None:
            return (*told, *taught)
        return (*told, *taught, hooks.health, hooks.judged, hooks.lost(), hooks.delays.ended)


def evidence(known: Mapping[Thing, Mapping[str, Any]], pair: Pair) -> Evidence:
    """What is known that bears on a pair."""
    name, channel = pair
    alone = legible(read_endings, known.get((EstimateKind.ENDINGS, name), {}))
    all_sizes = legible(read_endings, known.get((EstimateKind.ENDINGS, wider(name)), {}))
    own = alone.ended >= ENOUGH_JOBS or not _speaks_for(all_sizes, alone)
    about = name if own else wider(name)
    return Evidence(about, alone if own else all_sizes, _hooks(known, channel))


def read(tx: Transaction, pair: Pair) -> Evidence:
    """The same, as the database has it now."""
    return evidence(estimates.several(tx, things_of(pair)), pair)


def schedule(settings: Settings, found: Evidence, now: float) -> Schedule:
    """What follows from it."""
    return schedule_of(
        found.endings,
        found.hooks,
        now=now,
        floor=found.endings.hint or settings.poll_after_seconds,
        request_seconds=settings.request_worth_seconds,
        longest=settings.longest_spacing_seconds,
    )


def things_of(pair: Pair) -> set[Thing]:
    """What bears on a pair."""
    name, channel = pair
    things = {(EstimateKind.ENDINGS, name), (EstimateKind.ENDINGS, wider(name))}
    if channel is not None:
        things |= {(EstimateKind.HOOKS, channel), (EstimateKind.HOOKS, everywhere(channel))}
    return things


def _speaks_for(all_sizes: Endings, alone: Endings) -> bool:
    """Whether all sizes together say something of this one: not where its first jobs ended elsewhere."""
    if all_sizes.ended < ENOUGH_JOBS:
        return False
    ours = together(cohort.evidence for cohort in alone.cohorts)
    theirs = together(cohort.evidence for cohort in all_sizes.cohorts)
    return not ours.weights or surprise(theirs, ours) < SURPRISING


def _hooks(known: Mapping[Thing, Mapping[str, Any]], channel: str | None) -> Hooks | None:
    """Of the channel; of the whole endpoint where that is silent, since so is then each channel over it."""
    if channel is None:
        return None
    endpoint = legible(read_hooks, known.get((EstimateKind.HOOKS, everywhere(channel)), {}))
    own = legible(read_hooks, known.get((EstimateKind.HOOKS, channel), {}))
    return endpoint if endpoint.health is Health.SILENT else own


@dataclass(slots=True)
class Pacer:
    """What one process made its schedules of, and which are to be made."""

    context: Context
    made_of: dict[Pair, Basis] = field(default_factory=dict)
    silent: dict[Pair, float] = field(default_factory=dict)
    pending: dict[Pair, None] = field(default_factory=dict)
    read_until: float | None = None
    seen: dict[Thing, float] = field(default_factory=dict)

    def refresh(self) -> int:
        """Make the schedules that follow from what changed since. Returns how many were made anew."""
        paces = self.context.paces
        if paces.off:
            return 0
        while paces.wanted:
            self.pending[paces.wanted.pop()] = None
        first = self.read_until is None
        with self.context.store.read() as tx:
            self._note_changes(tx, first=first)
            most = MADE_AT_START if first else MADE_AT_ONCE
            pairs, now = list(self.pending)[: 4 * most], tx.now
            known = estimates.several(tx, set().union(*map(things_of, pairs)))
        return self._make(pairs, known, now, most)

    def _note_changes(self, tx: Transaction, *, first: bool) -> None:
        changes = estimates.changes_since(tx, (self.read_until or 0.0) - OVERLAP)
        new = {thing for thing, at in changes.items() if self.seen.get(thing) != at}
        self.read_until, self.seen = tx.now, changes
        moved = likely_pairs(sorted(changes, key=lambda thing: -changes[thing])) if first else []
        moved += [pair for pair in self.made_of if things_of(pair) & new] if new else []
        moved += [pair for pair, until in self.silent.items() if tx.now >= until]
        self.pending |= dict.fromkeys(moved)

    def _make(self, pairs: Iterable[Pair], known: Mapping[Thing, Any], now: float, most: int) -> int:
        settings, made, began = self.context.settings, dict[Pair, Schedule](), self.context.clock()
        planned = 0  # a schedule without a plan takes no time
        for pair in pairs:
            if planned >= most:
                break
            del self.pending[pair]
            found = evidence(known, pair)
            basis = found.basis()
            until = self.silent.pop(pair, None)
            if until is None and not moved(self.made_of.get(pair), basis):
                continue
            made[pair] = schedule(settings, found, now)
            planned += made[pair].pace.plan is not None
            self.made_of[pair] = basis
            if (silent := found.silent_until()) is not None and now < silent:
                self.silent[pair] = silent
        self._publish(made)
        if made:
            took = (self.context.clock() - began) * 1e3
            log(Event.PACES_MADE, level=logging.DEBUG, count=len(made), milliseconds=round(took, 1))
        return len(made)

    def _publish(self, made: Mapping[Pair, Schedule]) -> None:
        """In one step: whoever asks meanwhile sees all of the earlier ones or all of these."""
        if not made:
            return
        schedules = {**self.context.paces.schedules, **made}
        for pair in sorted(self.made_of, key=self._rests_on)[: max(len(self.made_of) - KEPT, 0)]:
            del self.made_of[pair]
            self.silent.pop(pair, None)
            schedules.pop(pair, None)
        self.context.paces.schedules = schedules

    def _rests_on(self, pair: Pair) -> tuple[bool, float]:
        """What a schedule rests on, least first: so thousands of names that nobody uses drive none away."""
        about, ended, *_ = self.made_of[pair]
        return about == pair[0], float(ended or 0.0)


def moved(before: Basis | None, now: Basis) -> bool:
    """Whether something is otherwise than it was, or more than a little more or less."""
    if before is None or len(before) != len(now):
        return True
    return any(_differs(one, other) for one, other in zip(before, now, strict=True))


def _differs(before: float | str | None, now: float | str | None) -> bool:
    if not isinstance(before, float) or not isinstance(now, float):
        return before != now
    return abs(now - before) > MOVED * max(abs(before), 1e-3)


def likely_pairs(things: Iterable[Thing]) -> list[Pair]:
    """Classes and the channels of their provider, for the start: before anybody has asked for any."""
    known = list(things)
    classes = [name for kind, name in known if kind is EstimateKind.ENDINGS]
    channels = [name for kind, name in known if kind is EstimateKind.HOOKS and name != everywhere(name)]
    pairs: list[Pair] = []
    for name in classes:
        if name == wider(name):
            continue
        provider = parts(name)[0]
        theirs = [one for one in channels if provider in (parts(one)[1], UNKNOWN)]
        pairs += [(name, None), *((name, channel) for channel in theirs)]
    return pairs[:MADE_AT_START]
