"""One list before many looks: what it settles, whom it spares a GET, and who gets one anyway.

A list (contract 1.6) tells the stored state of up to a hundred jobs in one request and asks no provider. Jobs
that it shows as ended are settled by it. Those that it shows as running are believed only where the list was
measured to be fresh for their provider (`core.learned.lists`), and never
- at their deadline, in doubt about their end, or after a look that failed;
- at every tenth look: a GET then shows what the list would have had us believe.
Jobs that it does not show, all of them where it fails, and those to be asked anyway are asked one by one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from orchestrator import metrics
from orchestrator.core.job import Job, Observation
from orchestrator.core.learned.classes import channel_of
from orchestrator.core.learned.lists import gets_anyway, read_freshness
from orchestrator.core.lifecycle import Seen, State
from orchestrator.engine.answer import Answer, Asking
from orchestrator.engine.budget import by_value
from orchestrator.engine.context import Context
from orchestrator.engine.legible import legible
from orchestrator.errors import AccountUnusable, GatewayError
from orchestrator.store import estimates
from orchestrator.store.database import Transaction
from orchestrator.store.estimates import EstimateKind
from orchestrator.telemetry import Event, log

if TYPE_CHECKING:
    from orchestrator.gateway.client import Gateway

WITHIN = 5.0  # seconds: a list that takes longer would hold up the looks that it is to spare

KNOWN_FOR = 10.0  # seconds until what was learned of the lists is read again


def know(context: Context, tx: Transaction) -> None:
    """Have what was learned of the lists at hand, as of a moment ago."""
    if tx.now >= context.lists.read_again_at:
        known = estimates.of_kind(tx, EstimateKind.LISTS)
        context.lists.freshness = {name: legible(read_freshness, value) for name, value in known.items()}
        context.lists.read_again_at = tx.now + KNOWN_FOR


async def begin(asking: Asking, jobs: Sequence[Job]) -> dict[str, Answer]:
    """What is decided about jobs of one account before any is asked about; answers by their ids."""
    answers = {job.id: Answer() for job in jobs}
    waiting = [job for job in jobs if job.state is State.WAITING and job.gateway_id is not None]
    if asking.lists.wanted(jobs[0].account_id, map(_channel, waiting)):
        listed = await _read(asking, waiting)
        if listed is not None:
            _spare(asking, waiting, listed, answers)
    _shed(asking, [job for job in jobs if not answers[job.id].decided], answers)
    return answers


async def _read(asking: Asking, jobs: Sequence[Job]) -> dict[str, Observation] | None:
    """What a list shows, by the gateway's ids; None where none may be asked for, or it failed."""
    gateway, whole = asking.gateways[jobs[0].account_id], (jobs[0].account_id, None)
    if isinstance(gateway, AccountUnusable) or not asking.breakers.allows(asking.now, whole):
        return None
    allowance = asking.allowances.get(jobs[0].tenant_id)
    if allowance is not None and not allowance.spend():
        return None
    try:
        async with asyncio.timeout(WITHIN):
            return await recent(asking, gateway, jobs)
    except (GatewayError, TimeoutError):
        return None  # each is asked about by itself
    except Exception as error:  # noqa: BLE001 - a list that nobody foresaw must not cost the looks
        log(Event.LOOK_BROKE, level=logging.ERROR, error=repr(error))
        return None


async def recent(asking: Asking, gateway: Gateway, jobs: Sequence[Job]) -> dict[str, Observation]:
    """The list, by the gateway's ids. `jobs` of one account are why it is read. Raises GatewayError."""
    whole = (jobs[0].account_id, None)
    asking.sent.list_for(jobs)
    try:
        listed = await gateway.list_recent()
    except GatewayError as error:
        metrics.LISTS.labels("failed").inc()
        if error.whole_gateway:
            asking.breakers.failed(whole, asking.now)
        raise
    metrics.LISTS.labels("told").inc()
    asking.breakers.worked(whole)
    return {seen.gateway_id: seen for seen in listed if seen.gateway_id is not None}


def _spare(
    asking: Asking, jobs: Sequence[Job], listed: dict[str, Observation], answers: dict[str, Answer]
) -> None:
    ours = {job.gateway_id for job in jobs}
    others = [seen for name, seen in listed.items() if name not in ours and seen.seen is not Seen.OPEN]
    asking.sent.unasked[jobs[0].account_id] = others
    for job in jobs:
        answer = answers[job.id]
        answer.listed = listed.get(job.gateway_id or "")
        if answer.listed is not None:
            _judge(asking, job, answer, answer.listed)
    for channel, theirs in groupby(sorted(jobs, key=_channel), key=_channel):
        shown = [answers[job.id].listed for job in theirs]
        ended = sum(one is not None and one.seen is not Seen.OPEN for one in shown)
        running = sum(one is not None and one.seen is Seen.OPEN for one in shown)
        asking.lists.learn_reach(channel, jobs=len(shown), ended=ended, running=running)


def _judge(asking: Asking, job: Job, answer: Answer, listed: Observation) -> None:
    fresh = asking.lists.believes(_channel(job))
    anyway = gets_anyway(job.id, job.fence)
    # Ends are counted among those jobs whose end a GET would have found, had the list not shown it: all of
    # them, or where the list is believed the few that get one anyway.
    answer.measures = anyway or not fresh
    answer.believed = listed.seen is Seen.OPEN and fresh and not anyway and _may_be_believed(job, asking.now)
    if answer.believed or listed.seen is not Seen.OPEN:
        answer.seen.append(listed)


def _may_be_believed(job: Job, now: float) -> bool:
    doubtful = job.suspicion is not None or job.look_errors > 0 or job.unconfirmed
    return not doubtful and now < job.deadline_at


def _shed(asking: Asking, jobs: Sequence[Job], answers: dict[str, Answer]) -> None:
    """Of tenants with a limit: those whose look is worth least wait where there is no room for all."""
    limited = [job for job in jobs if job.tenant_id in asking.allowances]
    for job in by_value(limited, asking.paces, asking.now, asking.when_absent):
        allowance = asking.allowances[job.tenant_id]
        if not allowance.spend():
            answers[job.id].put_off = allowance.put_off()


def _channel(job: Job) -> str:
    return channel_of(job.account_id, job.provider)
