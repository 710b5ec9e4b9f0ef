"""Finding out what an uncertain create did: exactly, by its session id, never by a guess (design 5)."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from orchestrator.core.cadence import SEARCH_FOR_PERSON_EVERY
from orchestrator.core.events import Told
from orchestrator.core.job import Job, Observation, Source, job_of_session
from orchestrator.core.lifecycle import Seen, State
from orchestrator.core.routes import Outcome
from orchestrator.engine import spans
from orchestrator.engine.alone import alone
from orchestrator.engine.asking import SNAPSHOTS_AT_ONCE, SNAPSHOTS_WITHIN
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.observe import observe
from orchestrator.errors import AccountUnusable, GatewayError
from orchestrator.settings import UncertainPolicy
from orchestrator.store import due_jobs, events, hand_offs, jobs, searches
from orchestrator.store.database import Transaction
from orchestrator.store.searches import Stranger
from orchestrator.telemetry import Event, log

if TYPE_CHECKING:
    from orchestrator.gateway.client import Gateway
    from orchestrator.gateway.snapshot import Snapshot

FOREIGN_KEPT = 10_000
NOT_FOUND = 404  # not this account's, or deleted since


@dataclass(frozen=True, slots=True)
class _Found:
    """What a search saw of the gateway jobs that any attempt made, by the id of our job.

    `whole` holds the accounts whose list was read, with every job on it that may be ours.
    """

    seen: dict[str, list[Observation]] = field(default_factory=lambda: defaultdict(list))
    whole: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Met:
    """What a search of one account met. `strange`: of none of ours; `opened`: looked into just now."""

    listed: dict[str, Observation] | None = None
    strange: list[str] = field(default_factory=list)
    opened: dict[str, Snapshot] = field(default_factory=dict)
    whole: bool = False
    problem: str | None = None

    def stranger(self, gateway_id: str, known: Mapping[str, str | None]) -> Stranger:
        """One of them, for a person; `known` has the sessions of those that were opened earlier."""
        opened = self.opened.get(gateway_id)
        seen = opened.observation if opened else (self.listed or {}).get(gateway_id)
        return Stranger(
            gateway_id,
            opened=opened is not None or gateway_id in known,
            session_id=(opened.session_id if opened else known.get(gateway_id)) or None,
            status=seen.status if seen else None,
            model=seen.model if seen else None,
        )


def resolve(context: Context, unsure: Sequence[Job]) -> list[FollowUp]:
    """Search for what the create attempts of these claimed jobs made, and keep what was found."""
    found = _search(context, unsure)
    with context.store.write() as tx:
        follow_ups: list[FollowUp] = []
        for job in sorted(unsure, key=lambda job: job.id):  # the order in which rows are held
            with alone(tx, Event.LOOK_BROKE, job.id):
                follow_ups += _keep(context, tx, job, found)
        return follow_ups


def _search(context: Context, unsure: Sequence[Job]) -> _Found:
    found = _Found()
    for account in {job.account_id for job in unsure}:
        # An error answer names the request it answers, and a job has the id of the request that made it.
        named = [job.request_id for job in unsure if job.account_id == account and job.request_id]
        opened, whole = _strangers(context, account, named)
        for gateway_id, snapshot in opened.items():
            seen = replace(snapshot.observation, gateway_id=gateway_id)
            found.seen[job_of_session(snapshot.session_id or "")].append(seen)
        if whole:
            found.whole.add(account)
    return found


def _keep(context: Context, tx: Transaction, job: Job, found: _Found) -> list[FollowUp]:
    """Adopt what was found, or decide how to go on without."""
    follow_ups = [up for seen in found.seen.get(job.id, ()) for up in observe(context, tx, job.id, seen)]
    current = jobs.lock(tx, job.id)
    if current.fence != job.fence or current.state is not State.UNCERTAIN:
        return follow_ups  # it moved meanwhile: what was claimed says nothing about what it is now
    if tx.now >= job.deadline_at:
        return follow_ups + observe(context, tx, job.id, Observation(Source.CLOCK, Seen.DEADLINE))
    waited = tx.now >= job.state_since + context.settings.uncertain_wait_seconds
    may_risk = context.settings.uncertain_policy is UncertainPolicy.RESUBMIT and not job.resubmitted
    # Nothing found means something only if the list could be read: else the first create may well show up.
    if waited and may_risk and job.account_id in found.whole:
        note = "resubmitted by the setting uncertain_policy: if the first create made a job, both are paid"
        return follow_ups + observe(context, tx, job.id, Observation(Source.CLOCK, Seen.RESUBMIT, note=note))
    return follow_ups + _search_again(context, tx, current, needs_person=waited)


def _search_again(context: Context, tx: Transaction, job: Job, *, needs_person: bool) -> list[FollowUp]:
    every = SEARCH_FOR_PERSON_EVERY if needs_person else context.settings.uncertain_every_seconds
    due_at = min(tx.now + every, job.deadline_at)
    due_jobs.release_if_ours(tx, job, {"needs_person": needs_person, "due_at": due_at})
    if needs_person and not job.needs_person:
        events.append(tx, job, Told.NEEDS_PERSON, {})
        if job.cancel_requested_at is None:
            hand_offs.owe_outcome(tx, job, Outcome.UNCERTAIN)
        waits = partial(log, Event.NEEDS_PERSON, job=job.id, level=logging.WARNING, session=job.session_id)
        tx.after_commit.append(partial(waits, **spans.traced(context, job)))
        return [FollowUp(Task.LOOK, due_at - tx.now), FollowUp(Task.HAND_OFF)]
    return [FollowUp(Task.LOOK, due_at - tx.now)]


def _strangers(context: Context, account: str, named: Sequence[str]) -> tuple[dict[str, Snapshot], bool]:
    """Gateway jobs that no job of ours owns: the recent ones, and those named. And whether that is all."""
    try:
        gateway = context.gateways[account]
    except AccountUnusable as error:
        _note(context, account, _Met(problem=error.message))
        return {}, False  # nothing can be found out while nobody can be asked
    met = _Met()
    try:
        met.listed = {
            seen.gateway_id: seen for seen in context.http.run(gateway.list_recent()) if seen.gateway_id
        }
    except GatewayError as error:
        met.problem = error.message  # the next look asks again
    candidates = list(dict.fromkeys([*named, *(met.listed or ())]))
    with context.store.read() as tx:
        ours = jobs.known_gateway_ids(tx, account, candidates)
    met.strange = [one for one in candidates if one not in ours]
    new = [one for one in met.strange if one not in context.foreign]
    met.opened, unread = context.http.run(_open_all(gateway, new))
    met.whole = met.listed is not None and unread.isdisjoint(met.listed)
    _remember(context, met.opened)
    _note(context, account, met)
    return met.opened, met.whole


def _note(context: Context, account: str, met: _Met) -> None:
    """Keep it for a person, who may have to decide what the search could not."""
    listed = None if met.listed is None else len(met.listed)
    told = [met.stranger(one, context.foreign) for one in met.strange]
    with context.store.write(durable=False) as tx:
        searches.note(tx, account, listed=listed, whole=met.whole, problem=met.problem, strangers=told)


async def _open_all(gateway: Gateway, gateway_ids: Sequence[str]) -> tuple[dict[str, Snapshot], set[str]]:
    """What could be opened, and what could not although it is there."""
    slots = asyncio.Semaphore(SNAPSHOTS_AT_ONCE)
    opened: dict[str, Snapshot] = {}
    unread = set(gateway_ids)

    async def one(gateway_id: str) -> None:
        async with slots:
            try:
                opened[gateway_id] = await gateway.snapshot(gateway_id)
            except GatewayError as error:
                if error.status != NOT_FOUND:
                    return  # not remembered: the next look opens it again
            unread.discard(gateway_id)

    with suppress(TimeoutError):
        async with asyncio.timeout(SNAPSHOTS_WITHIN):
            await asyncio.gather(*(one(gateway_id) for gateway_id in gateway_ids))
    return opened, unread


def _remember(context: Context, opened: dict[str, Snapshot]) -> None:
    """Jobs of other programs, and of other installations of this one, are opened once."""
    sessions = {gateway_id: one.session_id or "" for gateway_id, one in opened.items()}
    with context.store.read() as tx:
        ours = jobs.existing(tx, [job_of_session(session) for session in sessions.values()])
    for gateway_id, session in sessions.items():
        if job_of_session(session) not in ours:
            context.foreign[gateway_id] = session
    while len(context.foreign) > FOREIGN_KEPT:
        context.foreign.pop(next(iter(context.foreign)), None)
