"""Finding out what an uncertain create did: exactly, by its session id, never by a guess (design 5)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from orchestrator.core.job import Job, Observation, Source
from orchestrator.core.lifecycle import Seen, State
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.observe import observe
from orchestrator.errors import GatewayError
from orchestrator.gateway.client import Gateway
from orchestrator.gateway.snapshot import Snapshot
from orchestrator.settings import UncertainPolicy
from orchestrator.store import jobs
from orchestrator.store.database import Transaction
from orchestrator.telemetry import Event, log

SNAPSHOTS_AT_ONCE = 10
FOREIGN_KEPT = 10_000


def search(context: Context, unsure: Sequence[Job]) -> dict[str, Observation]:
    """Look for gateway jobs made by these jobs' create attempts: our job id → what was seen of it."""
    found: dict[str, Observation] = {}
    for account in {job.account_id for job in unsure}:
        own = [job for job in unsure if job.account_id == account]
        sought = {job.session_id: job.id for job in own}
        # An error answer names the request it answers, and a job has the id of the request that made it.
        named = [job.request_id for job in own if job.request_id]
        for session, seen in _sessions(context, account, named).items():
            if session in sought:
                found[sought[session]] = seen
    return found


def keep(context: Context, tx: Transaction, job: Job, seen: Observation | None) -> list[FollowUp]:
    """Keep what the search found for a job that was claimed, or decide how to go on without."""
    follow_ups: list[FollowUp] = []
    if seen is not None:
        follow_ups += observe(context, tx, job.id, seen)
    elif tx.now >= job.deadline_at:
        follow_ups += observe(context, tx, job.id, Observation(Source.CLOCK, Seen.DEADLINE))
    elif tx.now >= job.state_since + context.settings.uncertain_wait_seconds:
        return _leave_to_person(context, tx, job)
    after = jobs.get(tx, job.id)
    changes: dict[str, Any] = {}
    if after is not None and after.state is State.UNCERTAIN:
        changes["due_at"] = tx.now + context.settings.uncertain_every_seconds
        follow_ups.append(FollowUp(Task.LOOK, context.settings.uncertain_every_seconds))
    jobs.release_if_ours(tx, job, changes)
    return follow_ups


def _leave_to_person(context: Context, tx: Transaction, job: Job) -> list[FollowUp]:
    if context.settings.uncertain_policy is UncertainPolicy.RESUBMIT:
        note = "resubmitted by the setting uncertain_policy: if the first create made a job, both are paid"
        follow_ups = observe(context, tx, job.id, Observation(Source.CLOCK, Seen.RESUBMIT, note=note))
        jobs.release_if_ours(tx, job, {})
        return follow_ups
    # Due once more at the deadline, when it times out; a webhook with its session id still finds it.
    jobs.release_if_ours(tx, job, {"needs_person": True, "due_at": job.deadline_at})
    if not job.needs_person:
        tx.after_commit.append(
            lambda: log(Event.NEEDS_PERSON, job=job.id, level=logging.WARNING, session=job.session_id)
        )
    return []


def _sessions(context: Context, account: str, named: Sequence[str]) -> dict[str, Observation]:
    """Session ids of gateway jobs that no job of ours owns: the recent ones, and those named."""
    gateway = context.gateways[account]
    try:
        listed = [seen.gateway_id for seen in context.http.run(gateway.list_recent()) if seen.gateway_id]
    except GatewayError:
        listed = []  # the next look asks again
    candidates = list(dict.fromkeys([*named, *listed]))
    with context.store.read() as tx:
        ours = jobs.known_gateway_ids(tx, account, candidates)
    strangers = [one for one in candidates if one not in ours and one not in context.foreign]
    opened = context.http.run(_open_all(gateway, strangers))
    _remember(context, opened)
    return {
        snapshot.session_id: replace(snapshot.observation, gateway_id=gateway_id)
        for gateway_id, snapshot in opened.items()
        if snapshot.session_id
    }


async def _open_all(gateway: Gateway, gateway_ids: Sequence[str]) -> dict[str, Snapshot]:
    slots = asyncio.Semaphore(SNAPSHOTS_AT_ONCE)
    opened: dict[str, Snapshot] = {}

    async def one(gateway_id: str) -> None:
        async with slots:
            try:
                opened[gateway_id] = await gateway.snapshot(gateway_id)
            except GatewayError:
                return  # not remembered: the next look opens it again

    await asyncio.gather(*(one(gateway_id) for gateway_id in gateway_ids))
    return opened


def _remember(context: Context, opened: dict[str, Snapshot]) -> None:
    """Jobs of other programs are opened once; those of ours become known by being adopted."""
    for gateway_id, snapshot in opened.items():
        if not (snapshot.session_id or "").startswith("job_"):
            context.foreign[gateway_id] = snapshot.session_id
    while len(context.foreign) > FOREIGN_KEPT:
        context.foreign.pop(next(iter(context.foreign)), None)
