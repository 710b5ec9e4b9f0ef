"""Outages of our receiver: noticing them by its signs of life, and leaving jobs to the gateway after one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.core.job import Job, Observation
from orchestrator.core.learned import outage as rule
from orchestrator.core.learned.outage import Outage
from orchestrator.core.learned.ticks import TICK
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.store import due_jobs, workers
from orchestrator.store.database import Transaction
from orchestrator.store.workers import Pulse
from orchestrator.telemetry import Event, log

if TYPE_CHECKING:
    from orchestrator.engine.context import Context

SPREAD = 10.0  # seconds over which those that nobody told are looked at after a tick


@dataclass(frozen=True, slots=True)
class Left:
    """Claimed jobs: those to look at now, and what follows for those that were put off."""

    to_look_at: list[Job]
    follow_ups: list[FollowUp]


def sign_of_life(tx: Transaction) -> Outage | None:
    """Note that webhooks are taken. Returns the outage that is over with that, if there was one.

    With several receivers there is none as long as one of them lives.
    """
    last = workers.last_pulse(tx, Pulse.RECEIVER)
    workers.pulse(tx, Pulse.RECEIVER)
    if last is None or tx.now - last <= rule.SHORTEST:
        return None
    workers.set_pulse(tx, Pulse.OUTAGE_BEGAN, last)
    workers.set_pulse(tx, Pulse.OUTAGE_ENDED, tx.now)
    away = tx.now - last
    tx.after_commit.append(lambda: log(Event.RECEIVER_WAS_AWAY, level=logging.WARNING, seconds=round(away)))
    return Outage(last, tx.now)


def latest(tx: Transaction) -> Outage | None:
    """The outage after which jobs are left to the gateway; None: there was none, or it does not help."""
    at = workers.every_pulse(tx)
    outage = _last(at)
    if outage is None or at.get(Pulse.OUTAGE_GIVEN_UP, 0.0) >= outage.ended:
        return None
    return outage if outage.matters(tx.now) and _is_there(at, tx.now) else None


def over(tx: Transaction) -> Outage | None:
    """The last outage, if it is over: what did not come because of it says nothing about the gateway."""
    at = workers.every_pulse(tx)
    return _last(at) if _is_there(at, tx.now) else None


def awaited_since(tx: Transaction) -> float | None:
    """Since when webhooks that do not come are missed, in epoch seconds; None: that is not known yet.

    Where everything was away and starts again, workers may be there a moment before the receiver, and the
    outage is known only with its first sign of life. Where the receiver alone is away, its webhooks are
    missed whatever the reason: nobody knows when it will be back.
    """
    at = workers.every_pulse(tx)
    since = workers.working_since(tx)
    if (
        Pulse.RECEIVER in at
        and not _is_there(at, tx.now)
        and (since is None or tx.now - since < rule.SHORTEST)
    ):
        return None
    outage = _last(at)
    return 0.0 if outage is None else outage.ended


def _last(at: Mapping[Pulse, float]) -> Outage | None:
    began, ended = at.get(Pulse.OUTAGE_BEGAN), at.get(Pulse.OUTAGE_ENDED)
    return None if began is None or ended is None else Outage(began, ended)


def _is_there(at: Mapping[Pulse, float], now: float) -> bool:
    return now - at.get(Pulse.RECEIVER, 0.0) <= rule.SHORTEST


def under_way(tx: Transaction) -> bool:
    """Whether nobody takes webhooks now, as far as signs of life say."""
    return not _is_there(workers.every_pulse(tx), tx.now)


def leave_to_gateway(context: Context, tx: Transaction, claimed: Sequence[Job]) -> Left:
    """Put off looks at jobs that the gateway is about to tell of, where that is cheaper."""
    left = Left([], [])
    outage = latest(tx) if claimed else None
    if outage is None:
        return Left(list(claimed), [])
    put_off = []
    for job in claimed:
        until = left_until(context, job, outage, tx.now)
        if until is None:
            left.to_look_at.append(job)
            continue
        due_at = min(until + SPREAD * context.random(), job.deadline_at)
        put_off.append({"id": job.id, "fence": job.fence, "leased_by": job.leased_by, "due_at": due_at})
        left.follow_ups.append(FollowUp(Task.LOOK, due_at - tx.now))
    due_jobs.put_off_looks(tx, put_off)
    return left


def left_until(context: Context, job: Job, outage: Outage, now: float) -> float | None:
    """Until when one job is left to the gateway; None: it is looked at as ever."""
    plan = context.policy.pace(job).plan
    if plan is None:
        return None
    worth = context.settings.request_worth_seconds
    return rule.left_until(job, plan, outage, now=now, request_seconds=worth)


def put_off(tx: Transaction, job: Job, chosen_at: float) -> bool:
    """Whether a look that would be due at that moment waits for the gateway's next try instead."""
    outage = latest(tx)
    if outage is None or job.due_at is None or job.due_at <= chosen_at:
        return False
    after_tick = (job.due_at - rule.AFTER_TICK) % TICK
    return job.due_at - rule.AFTER_TICK - after_tick > outage.ended and after_tick <= SPREAD


def learn(tx: Transaction, seen: Sequence[Observation]) -> None:
    """Leave no more jobs to the gateway once it does not plan to try again what was counted on."""
    told = [(one.hook, one.ended_at) for one in seen if one.hook is not None and one.ended_at is not None]
    if not any(hook.tries and hook.next_try_at is None and not hook.delivered for hook, _ in told):
        return
    outage = latest(tx)
    if outage and any(rule.proves_wrong(outage, hook, ended_at, now=tx.now) for hook, ended_at in told):
        workers.pulse(tx, Pulse.OUTAGE_GIVEN_UP)
        tx.after_commit.append(lambda: log(Event.NOT_TRIED_AGAIN, level=logging.WARNING))
