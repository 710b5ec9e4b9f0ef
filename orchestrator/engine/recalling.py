"""Webhooks of an endpoint or a provider that stopped: their jobs are looked at by the guidance again.

Before that is certain, when none came for long, some jobs that should have ended by now are looked at: they
tell whether there was anything to hear.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from math import nextafter
from typing import Any

from orchestrator.core.learned.classes import everywhere, parts
from orchestrator.core.learned.recall import (
    EXPECTED,
    LIKELY,
    PROBED,
    RECALLED_A_SECOND,
    brought_forward,
    ended_by_now,
    next_wait,
)
from orchestrator.engine import outage, overdue
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.store import estimates, open_jobs, workers
from orchestrator.store.database import Transaction
from orchestrator.store.estimates import EstimateKind
from orchestrator.store.open_jobs import Running
from orchestrator.store.workers import Pulse
from orchestrator.telemetry import Event, log

AT_A_TIME = 2_000  # jobs that one transaction brings forward at most
ROUNDS = 20  # transactions of one call
PROBE_EVERY = 1.0  # seconds; one worker does
TENANTS = 20  # of one endpoint, whose jobs are probed at most
CANDIDATES = 200  # jobs of a tenant that are thought of for that
SOON = 1.0  # seconds: what is due sooner is looked at anyway
FAR = 1e18
# Seconds after which every worker knows that the endpoint is silent: until then some go by the old plan.
BELIEVED_WITHIN = 5.0


def begin(tx: Transaction, channel: str) -> None:
    """The webhooks of this channel have just stopped: bring its jobs back, a part at a time."""
    data = {"since": tx.now, "tenant": "", "before": FAR, "moved": 0}
    estimates.lock(tx, EstimateKind.RECALLS, channel)
    estimates.write(tx, EstimateKind.RECALLS, channel, data)


def recall(context: Context) -> list[FollowUp]:
    """Go on with what `begin` began, and try endpoints that seem to have fallen silent."""
    with context.store.read() as tx:
        channels = estimates.names(tx, EstimateKind.RECALLS)
    for channel in channels:
        for _ in range(ROUNDS):
            with context.store.write(durable=False) as tx:
                if _bring_part(context, tx, channel):
                    break
    probed = _probe(context)
    return [FollowUp(Task.LOOK)] if channels or probed else []


def _bring_part(context: Context, tx: Transaction, channel: str) -> bool:
    """Bring some jobs forward, those that are due last first. True when there is none left for now.

    The row of the channel is held before jobs are: those that somebody holds are left out, not waited for.
    """
    done = estimates.lock(tx, EstimateKind.RECALLS, channel)
    if not done:  # another worker ended it
        estimates.remove(tx, EstimateKind.RECALLS, channel)
        return True
    over = _part(context, tx, channel, done)
    if over and tx.now >= done["since"] + BELIEVED_WITHIN:
        return _end(tx, channel, done)
    estimates.write(tx, EstimateKind.RECALLS, channel, done | ({"tenant": "", "before": FAR} if over else {}))
    return over


def _part(context: Context, tx: Transaction, channel: str, done: dict[str, Any]) -> bool:
    """Whether the last tenant is done; `done` is brought up to date."""
    after = done["moved"] / RECALLED_A_SECOND
    until = tx.now + context.settings.poll_after_seconds + after
    held: list[Running] = []
    if done["tenant"] and done["before"] > until:
        between = {"due_after": until, "due_before": done["before"]}
        held = open_jobs.hold_latest(tx, parts(channel)[0], done["tenant"], **between, limit=AT_A_TIME)
    if held:
        theirs = [one for one in held if channel in (one.channel, everywhere(one.channel))]
        moved = open_jobs.bring_forward(tx, _sooner(context, tx, theirs, after))
        last = held[-1].due_at  # there may be more that are due at that moment
        done |= {"moved": done["moved"] + moved, "before": last if moved else nextafter(last, 0.0)}
        return False
    following = open_jobs.next_tenant(tx, after=done["tenant"], due_after=until)
    done |= {"tenant": following or "", "before": FAR}
    return following is None


def _sooner(context: Context, tx: Transaction, held: list[Running], after: float) -> dict[str, float]:
    guidance = context.settings.poll_after_seconds
    return {
        one.id: brought_forward(
            now=tx.now,
            floor=one.floor(guidance),
            due_at=one.due_at,
            after=after,
            over=one.poll_after or guidance,
            chance=context.random(),
        )
        for one in held
    }


def _end(tx: Transaction, channel: str, done: dict[str, Any]) -> bool:
    estimates.remove(tx, EstimateKind.RECALLS, channel)
    facts: dict[str, Any] = {
        "channel": channel,
        "jobs": done["moved"],
        "took": round(tx.now - done["since"], 1),
    }
    tx.after_commit.append(partial(log, Event.RECALLED, level=logging.WARNING, **facts))
    return True


def _probe(context: Context) -> int:
    """Look at jobs that should have ended, where no webhook came for long. Returns at how many."""
    with context.store.read() as tx:
        endpoints = estimates.overdue_endpoints(tx, expected=EXPECTED)
        # In quiet nights, when no job is open, all are overdue each second until the morning.
        if not endpoints or open_jobs.next_tenant(tx, after="", due_after=tx.now + SOON) is None:
            return 0
        if outage.awaited_since(tx) is None:
            return 0
        # An endpoint of which none of the newest jobs is waits for its next try: there may be hundreds.
        awaiting, tried = open_jobs.accounts_awaiting(tx), estimates.of_kind(tx, EstimateKind.PROBES)
        endpoints = [
            one for one in endpoints if parts(one)[0] in awaiting or not _rests(tried.get(one), tx.now)
        ]
        if not endpoints:
            return 0
    with context.store.write(durable=False) as tx:
        if not workers.pulse_if_older(tx, Pulse.PROBE, PROBE_EVERY):
            return 0
    probed = 0
    missing = overdue.count(context, endpoints)
    for endpoint in endpoints:
        with context.store.write(durable=False) as tx:
            # In one transaction: a silence that is known is told to nobody again.
            if endpoint in missing and overdue.makes_silent(tx, endpoint, missing[endpoint]):
                begin(tx, endpoint)
            else:
                probed += _probe_one(context, tx, endpoint)
    return probed


def _rests(last: Mapping[str, Any] | None, now: float) -> bool:
    return last is not None and now < last.get("at", 0.0) + last.get("wait", 0.0)


def _probe_one(context: Context, tx: Transaction, endpoint: str) -> int:
    last = estimates.lock(tx, EstimateKind.PROBES, endpoint)
    heard_at = estimates.get(tx, EstimateKind.HOOKS, endpoint).get("last_came_at") or 0.0
    if last and tx.now < last["at"] + last["wait"] and heard_at <= last["at"]:
        return 0
    wait = next_wait(last.get("wait"), heard_since=heard_at > last.get("at", 0.0))
    likely = _likely_ended(context, tx, parts(endpoint)[0])
    estimates.write(tx, EstimateKind.PROBES, endpoint, {"at": tx.now, "wait": wait})
    guidance = context.settings.poll_after_seconds
    count = open_jobs.bring_forward(tx, {one.id: max(one.floor(guidance), tx.now) for one in likely})
    if count:
        facts: dict[str, Any] = {
            "endpoint": endpoint,
            "jobs": count,
            "silent_for": round(tx.now - heard_at, 1),
        }
        tx.after_commit.append(partial(log, Event.PROBED, **facts))
    return count


def _likely_ended(context: Context, tx: Transaction, account: str) -> list[Running]:
    """Of the jobs that are due first, those that have ended by their plans with the highest probability."""
    found: list[tuple[float, Running]] = []
    tenant: str | None = ""
    for _ in range(TENANTS):
        tenant = open_jobs.next_tenant(tx, after=tenant or "", due_after=tx.now + SOON)
        if tenant is None:
            break
        held = open_jobs.hold_soonest(tx, account, tenant, due_after=tx.now + SOON, limit=CANDIDATES)
        found += [(_ended(context, one, tx.now), one) for one in held]
    likely = [pair for pair in found if pair[0] >= LIKELY]
    return [one for _, one in sorted(likely, key=lambda pair: pair[0], reverse=True)[:PROBED]]


def _ended(context: Context, one: Running, now: float) -> float:
    schedule = context.paces.schedules.get((one.ending_class or "", one.channel))
    if schedule is None or schedule.pace.plan is None:
        return 0.0  # it follows the guidance anyway
    seen = (one.seen_running_at or one.created_at) - one.created_at
    return ended_by_now(schedule.pace.plan, age=now - one.created_at, seen_running_at=seen)
