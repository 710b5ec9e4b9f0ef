"""The questions of one look: one list for many jobs, a GET for each other, stored evidence in doubt."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrator import metrics
from orchestrator.core.breaker import Breakers
from orchestrator.core.job import Job, Observation
from orchestrator.core.lifecycle import LIVE_NEGATIVE, SETTLED
from orchestrator.engine import listing
from orchestrator.engine.accounts import reached
from orchestrator.engine.answer import Answer, Asking, Sent
from orchestrator.engine.budget import Allowance
from orchestrator.engine.context import Context
from orchestrator.errors import AccountUnusable, BadAnswer, GatewayError, Retry
from orchestrator.telemetry import Event, log

if TYPE_CHECKING:
    from orchestrator.gateway.client import Gateway

AT_ONCE = 100  # GETs under way at the same time, per look
QUICK = 2.0  # seconds after which what was answered is kept, and the others are waited for
SNAPSHOTS_AT_ONCE = 10
SNAPSHOTS_WITHIN = 30.0  # seconds for all of them: what was not read by then is read by the next look
_ANY: Mapping[str, Allowance] = {}  # no tenant has a limit
ERRORS_BEFORE_LIST = 3  # whole providers can answer 502 on GET for long while the list is right


def ask_all(
    context: Context,
    jobs: Sequence[Job],
    now: float,
    allowances: Mapping[str, Allowance] = _ANY,
    sent: Sent | None = None,
) -> AsyncGenerator[list[tuple[Job, Answer]], None]:
    """Ask about every job, and give the answers in two waves: slow ones hold up none but themselves.

    `allowances` are those of tenants with a limit; what was sent is counted in `sent`. Never raises for what
    the gateway does. Called by a thread that may read the database.
    """
    policy = context.policy
    asking = Asking(
        breakers=context.breakers,
        gateways=reached(context.gateways, dict.fromkeys(job.account_id for job in jobs)),
        now=now,
        clock=context.clock,
        began=context.clock(),
        lists=context.lists,
        when_absent=context.settings.poll_after_seconds,
        sent=Sent() if sent is None else sent,
        allowances=allowances,
        paces={job.id: policy.pace(job) for job in jobs if job.tenant_id in allowances},
    )
    return _ask_all(asking, jobs)


async def _ask_all(common: Asking, jobs: Sequence[Job]) -> AsyncGenerator[list[tuple[Job, Answer]], None]:
    slots = asyncio.Semaphore(AT_ONCE)
    of_account: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        of_account[job.account_id].append(job)
    begun = {
        account: asyncio.create_task(listing.begin(common, theirs)) for account, theirs in of_account.items()
    }

    async def one(job: Job) -> tuple[Job, Answer]:
        answer = (await begun[job.account_id])[job.id]
        if not answer.decided:
            async with slots:
                await _get(common, job, answer)
        return job, answer

    asking = [asyncio.create_task(one(job)) for job in jobs]
    try:
        await asyncio.wait(asking, timeout=QUICK)
        quick = [task.done() for task in asking]
        for wave in (True, False):
            answered = [
                await task for task, was_quick in zip(asking, quick, strict=True) if was_quick is wave
            ]
            await _ask_for_stored(common, answered)
            if answered:
                yield answered
    finally:
        for task in (*asking, *begun.values()):
            task.cancel()


async def _ask_for_stored(common: Asking, answered: Sequence[tuple[Job, Answer]]) -> None:
    doubtful: dict[str, list[Job]] = defaultdict(list)
    for job, answer in answered:
        if not _wants_stored(job, answer, common.now):
            continue
        if answer.listed is not None and not answer.asked:
            answer.seen.append(answer.listed)  # nothing was asked since that could have changed it
        else:
            doubtful[job.account_id].append(job)
    answers = {job.id: answer for job, answer in answered}
    for account, unsure in doubtful.items():
        gateway = common.gateways[account]
        if isinstance(gateway, AccountUnusable):
            continue
        if common.breakers.allows(common.now, (account, None)):
            await _read_stored(common, gateway, unsure, answers)


async def _get(common: Asking, job: Job, answer: Answer) -> None:
    gateway = common.gateways[job.account_id]
    if isinstance(gateway, AccountUnusable):
        answer.error = gateway
        return
    breakers, now = common.breakers, common.now
    # Not None where no provider is known: that names the whole gateway.
    whole, provider = (job.account_id, None), (job.account_id, job.provider or "unknown")
    if not breakers.allows(now, whole, provider):
        wait = Retry(again=True, after=breakers.wait(now, whole, provider))
        answer.error = GatewayError("not asked: too many looks failed just before", retry=wait)
        return
    assert job.gateway_id is not None  # only jobs that the gateway has are looked at
    answer.asked = True
    answer.after = common.clock() - common.began
    common.sent.requests[job.tenant_id] += 1
    try:
        answer.seen.append(await gateway.look(job.gateway_id))
    except GatewayError as error:
        answer.error = error
        _count_failure(breakers, error, whole, provider, now)
    except Exception as error:  # noqa: BLE001 - one answer that nobody foresaw must not cost the others
        log(Event.LOOK_BROKE, job=job.id, level=logging.ERROR, error=repr(error))
        answer.error = BadAnswer(f"the answer could not be read ({type(error).__name__})")
    else:
        breakers.worked(whole)
        breakers.worked(provider)
    answer.took = common.clock() - common.began - answer.after
    metrics.LOOK_CALLS.observe(answer.took)


def _count_failure(
    breakers: Breakers,
    error: GatewayError,
    whole: tuple[str, None],
    provider: tuple[str, str],
    now: float,
) -> None:
    if error.whole_gateway:
        breakers.failed(whole, now)
        return
    if error.status is not None:
        breakers.worked(whole)  # an answer in the gateway's own words, whatever it says of the provider
    if error.status is None or error.status >= 500:
        breakers.failed(provider, now)


def _wants_stored(job: Job, answer: Answer, now: float) -> bool:
    if job.state in SETTLED or answer.put_off is not None:
        return False  # the list tells neither reasons nor outputs
    if any(seen.seen in LIVE_NEGATIVE for seen in answer.seen):
        return True
    if answer.error is None:
        return False
    last_chance = now >= job.deadline_at
    often = job.look_errors + 1 >= ERRORS_BEFORE_LIST
    return last_chance or often or job.suspicion is not None or not answer.asked


async def _read_stored(
    common: Asking, gateway: Gateway, jobs: Sequence[Job], answers: dict[str, Answer]
) -> None:
    """Stored evidence about jobs of one account: one list for all, snapshots of what that does not reach."""
    try:
        listed = await listing.recent(common, gateway, jobs)
    except GatewayError:
        listed = {}
    slots = asyncio.Semaphore(SNAPSHOTS_AT_ONCE)

    async def one(job: Job) -> None:
        seen = listed.get(job.gateway_id or "")
        if seen is None and job.gateway_id is not None:
            async with slots:
                common.sent.requests[job.tenant_id] += 1
                seen = await _snapshot(gateway, job.gateway_id)
        if seen is not None:
            answers[job.id].seen.append(seen)

    with suppress(TimeoutError):
        async with asyncio.timeout(SNAPSHOTS_WITHIN):
            await asyncio.gather(*(one(job) for job in jobs))


async def _snapshot(gateway: Gateway, gateway_id: str) -> Observation | None:
    try:
        return (await gateway.snapshot(gateway_id)).observation
    except GatewayError:
        return None  # the next look asks again
