"""Folding what the ends of jobs taught into what is known; many workers may, each lesson is folded once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from orchestrator.core.learned.classes import channel_of, everywhere, wider
from orchestrator.core.learned.endings import Endings, read_endings
from orchestrator.core.learned.folding import Known
from orchestrator.core.learned.hooks import Health, read_hooks
from orchestrator.core.learned.lessons import LessonKind
from orchestrator.core.learned.lists import read_freshness
from orchestrator.core.learned.outage import Outage
from orchestrator.engine import accounting, blaming, outage, recalling
from orchestrator.engine.accounting import Closed
from orchestrator.engine.context import Context
from orchestrator.engine.legible import legible
from orchestrator.store import estimates, lessons
from orchestrator.store.database import Transaction
from orchestrator.store.estimates import EstimateKind
from orchestrator.store.lessons import Noted, Told
from orchestrator.telemetry import Event, log

AT_A_TIME = 200  # lessons of one transaction
ROUNDS = 20  # transactions of one call: then others have the thread
GATHERED_FOR = 5.0  # seconds that lessons are gathered, by processes: nothing changes so fast
HELD_FOR = 1.0  # seconds after which a lesson is tried again whose job somebody held
AGED_EVERY = 3_600.0  # seconds: what decays by less is lost where weights are rounded

Thing = tuple[EstimateKind, str]


def learn(context: Context, *, gathered_for: float = 0.0) -> None:
    """Fold all that is due, in transactions of their own, once something has been for so many seconds.

    One fold reads and writes all that its lessons teach something about: of few lessons it costs as much.
    """
    for _ in range(ROUNDS):
        with context.store.read() as tx:
            if not lessons.any_due(tx, waited=gathered_for):
                return
        # Not durable: what a power cut undoes is folded again.
        with context.store.write(durable=False) as tx:
            if fold(context, tx) < AT_A_TIME:
                return


def fold(context: Context, tx: Transaction) -> int:
    """Fold one batch. Returns how many lessons that were.

    Held are, in this order: the lessons, their jobs, what is known by kind and name, the ledger.
    """
    held = lessons.hold_due(tx, limit=AT_A_TIME)
    concerned = {one.id: _concerned(one) for one in held}
    batch = _Batch(tx.now, _jobs_of(tx, held), Known(ended_by=_ended_by(context)), outage.over(tx))
    things = sorted(set().union(*concerned.values())) if held else []
    before = {thing: estimates.lock(tx, *thing) for thing in things}
    _read(batch.known, before)
    for one in held:
        batch.take(one)
    lessons.count_as_missed(tx, list(batch.missed))
    blaming.blame_missed_webhooks(tx, batch.missed, batch.met_nobody)
    lessons.put_off(tx, batch.waits)
    lessons.forget(tx, [one.id for one in held if one.id not in batch.waits])
    _write(tx, batch.known)
    accounting.account(context, tx, batch.known, batch.closed, batch.listed)
    return len(held)


@dataclass(slots=True)
class _Batch:
    """What one transaction folds. `closed` are the jobs of which all is known that will be.

    `outage` is the last one of our receiver, if it is over. `missed` are those whose webhook did not come,
    `met_nobody` those for which nobody was there to take it, each with what their end taught.
    """

    now: float
    jobs: dict[str, Told]
    known: Known = field(default_factory=Known)
    outage: Outage | None = None
    waits: dict[int, float] = field(default_factory=dict)
    missed: dict[str, dict[str, Any]] = field(default_factory=dict)
    met_nobody: dict[str, dict[str, Any]] = field(default_factory=dict)
    closed: list[Closed] = field(default_factory=list)
    listed: list[dict[str, Any]] = field(default_factory=list)

    def take(self, one: Noted) -> None:
        """Fold one, or leave it out where it cannot be read."""
        with accounting.readable(one.job_id, one.kind):
            self._fold(one)

    def _fold(self, one: Noted) -> None:
        if one.kind is LessonKind.ENDED:
            self.known.learn_end(one.data)
        elif one.kind is LessonKind.CLOSED:
            self._close(one)
        elif one.kind is LessonKind.CAME_LATE:
            self.known.came_late(one.data)
        elif one.kind is LessonKind.LISTED:
            self.listed.append(one.data)
        elif one.kind is LessonKind.LISTING:
            self.known.listing(one.data)

    def _close(self, one: Noted) -> None:
        data = one.data
        told = self.jobs.get(one.job_id or "")
        if told is None and one.job_id is not None:
            self.waits[one.id] = HELD_FOR
            return
        told = told or Told(data["looks"], None)
        unheard = _awaited(data) and told.hook_at is None
        if unheard and one.job_id is not None and self._we_were_away(data):
            self.closed.append((data, one.job_id, told))
            self.met_nobody[one.job_id] = data
            return
        wait = self.known.close(data, hook_at=told.hook_at, now=self.now)
        if wait is not None:
            self.waits[one.id] = wait
            return
        self.closed.append((data, one.job_id or "", told))
        if unheard and one.job_id is not None:
            self.missed[one.job_id] = data

    def _we_were_away(self, data: dict[str, Any]) -> bool:
        """Whether its webhook may have met nobody: then that it did not come says nothing about others."""
        began_at = data["began_at"]
        return self.outage is not None and self.outage.may_hold(
            began_at + data["low"], began_at + data["high"]
        )


def _awaited(data: dict[str, Any]) -> bool:
    return data["channel"] is not None and not data["came"]


def _jobs_of(tx: Transaction, held: Sequence[Noted]) -> dict[str, Told]:
    """Held are those alone whose webhook may count as missed: it must not come at that moment."""
    closed = [one for one in held if one.kind is LessonKind.CLOSED and one.job_id is not None]
    waiting = {str(one.job_id) for one in closed if one.data.get("channel") and not one.data.get("came")}
    others = {str(one.job_id) for one in closed} - waiting
    found = lessons.hold_jobs(tx, waiting) if waiting else {}
    return found | (lessons.look_at_jobs(tx, others) if others else {})


def _concerned(one: Noted) -> set[Thing]:
    """What a lesson teaches something about."""
    things: set[Thing] = set()
    if isinstance(name := one.data.get("class"), str) and name.count("|") == 2:
        things |= {(EstimateKind.ENDINGS, name), (EstimateKind.ENDINGS, wider(name))}
    if one.kind is LessonKind.LISTING and isinstance(account := one.data.get("account"), str):
        things.add((EstimateKind.LISTS, channel_of(account, one.data.get("provider"))))
    if isinstance(channel := one.data.get("channel"), str):
        things |= {(EstimateKind.HOOKS, channel), (EstimateKind.HOOKS, everywhere(channel))}
    return things


def _ended_by(context: Context) -> dict[str, Callable[[float], float]]:
    """By class, as the plans that this process follows have it: it tells how late a webhook was at most."""
    paces = ((name, schedule.pace) for (name, _), schedule in context.paces.schedules.items())
    return {name: pace.plan.ended_by for name, pace in paces if pace.plan is not None}


def _read(known: Known, rows: dict[Thing, dict[str, Any]]) -> None:
    for (kind, name), data in rows.items():
        if kind is EstimateKind.ENDINGS:
            known.endings[name] = legible(read_endings, data)
        elif kind is EstimateKind.HOOKS:
            known.hooks[name] = legible(read_hooks, data)
        elif kind is EstimateKind.LISTS:
            known.lists[name] = legible(read_freshness, data)


def _write(tx: Transaction, known: Known) -> None:
    """In the end only: a change shows in all that a batch has taught."""
    for name in sorted(known.endings):
        _age(tx, known.endings[name])
        estimates.write(tx, EstimateKind.ENDINGS, name, known.endings[name].as_json())
    for name in sorted(known.hooks):
        _judge(tx, known, name)
        estimates.write(tx, EstimateKind.HOOKS, name, known.hooks[name].as_json())
    for name, freshness in known.lists.items():
        estimates.write(tx, EstimateKind.LISTS, name, freshness.as_json())


def _age(tx: Transaction, endings: Endings) -> None:
    if endings.aged_at is None or tx.now > endings.aged_at + AGED_EVERY:
        endings.age(tx.now)


def _judge(tx: Transaction, known: Known, name: str) -> None:
    hooks = known.hooks[name]
    was = hooks.health
    if hooks.judge(tx.now) is was:
        return
    level = logging.INFO if hooks.health is Health.HEALTHY else logging.WARNING
    facts: dict[str, Any] = {"channel": name, "was": was, "now": hooks.health, "latest": hooks.recent}
    tx.after_commit.append(partial(log, Event.HOOKS_CHANGED, level=level, **facts))
    # Those of the whole endpoint come first in the order of names: they are brought back once.
    endpoint = everywhere(name)
    brought_back = name != endpoint and known.hooks[endpoint].health is Health.SILENT
    if hooks.health is Health.SILENT and not brought_back:
        recalling.begin(tx, name)
