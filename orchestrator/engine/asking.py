"""The questions of one look: a GET for each job, and stored evidence where a GET is not enough."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from orchestrator.core.breaker import Breakers
from orchestrator.core.job import Job, Observation
from orchestrator.core.lifecycle import LIVE_NEGATIVE, SETTLED
from orchestrator.engine.context import Context
from orchestrator.errors import BadAnswer, GatewayError, Retry
from orchestrator.gateway.client import Gateway
from orchestrator.telemetry import Event, log

AT_ONCE = 100  # GETs under way at the same time, per look
QUICK = 2.0  # seconds after which what was answered is kept, and the others are waited for
SNAPSHOTS_AT_ONCE = 10
SNAPSHOTS_WITHIN = 30.0  # seconds for all of them: what was not read by then is read by the next look
ERRORS_BEFORE_LIST = 3  # whole providers can answer 502 on GET for long while the list is right


@dataclass(slots=True)
class Answer:
    """What was learned about one job: observations in order, or why there are none.

    `asked` says whether a GET was really sent.
    """

    seen: list[Observation] = field(default_factory=list)
    error: GatewayError | None = None
    asked: bool = False


async def ask_all(
    context: Context, jobs: Sequence[Job], now: float
) -> AsyncGenerator[list[tuple[Job, Answer]], None]:
    """Ask about every job, and give the answers in two waves: slow ones hold up none but themselves.

    Never raises for what the gateway does.
    """
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(job: Job) -> tuple[Job, Answer]:
        answer = Answer()
        async with slots:
            await _get(context, job, answer, now)
        return job, answer

    asking = [asyncio.create_task(one(job)) for job in jobs]
    try:
        await asyncio.wait(asking, timeout=QUICK)
        quick = [task.done() for task in asking]
        for wave in (True, False):
            answered = [
                await task for task, was_quick in zip(asking, quick, strict=True) if was_quick is wave
            ]
            await _ask_for_stored(context, answered, now)
            if answered:
                yield answered
    finally:
        for task in asking:
            task.cancel()


async def _ask_for_stored(context: Context, answered: Sequence[tuple[Job, Answer]], now: float) -> None:
    doubtful: dict[str, list[Job]] = defaultdict(list)
    for job, answer in answered:
        if _wants_stored(job, answer, now):
            doubtful[job.account_id].append(job)
    answers = {job.id: answer for job, answer in answered}
    for account, unsure in doubtful.items():
        if context.breakers.allows(now, (account, None)):
            await _read_stored(context, account, unsure, answers, now)


async def _get(context: Context, job: Job, answer: Answer, now: float) -> None:
    # Not None where no provider is known: that names the whole gateway.
    whole, provider = (job.account_id, None), (job.account_id, job.provider or "unknown")
    if not context.breakers.allows(now, whole, provider):
        wait = Retry(again=True, after=context.breakers.wait(now, whole, provider))
        answer.error = GatewayError("not asked: too many looks failed just before", retry=wait)
        return
    assert job.gateway_id is not None  # only jobs that the gateway has are looked at
    answer.asked = True
    try:
        answer.seen.append(await context.gateways[job.account_id].look(job.gateway_id))
    except GatewayError as error:
        answer.error = error
        _count_failure(context.breakers, error, whole, provider, now)
    except Exception as error:  # noqa: BLE001 - one answer that nobody foresaw must not cost the others
        log(Event.LOOK_BROKE, job=job.id, level=logging.ERROR, error=repr(error))
        answer.error = BadAnswer(f"the answer could not be read ({type(error).__name__})")
    else:
        context.breakers.worked(whole)
        context.breakers.worked(provider)


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
    if job.state in SETTLED:
        return False  # the list tells neither reasons nor outputs
    if any(seen.seen in LIVE_NEGATIVE for seen in answer.seen):
        return True
    if answer.error is None:
        return False
    last_chance = now >= job.deadline_at
    often = job.look_errors + 1 >= ERRORS_BEFORE_LIST
    return last_chance or often or job.suspicion is not None or not answer.asked


async def _read_stored(
    context: Context, account: str, jobs: Sequence[Job], answers: dict[str, Answer], now: float
) -> None:
    """Stored evidence about jobs: one list for all, a snapshot for each that the list does not reach."""
    gateway = context.gateways[account]
    try:
        listed = {seen.gateway_id: seen for seen in await gateway.list_recent()}
        context.breakers.worked((account, None))
    except GatewayError as error:
        listed = {}
        if error.whole_gateway:
            context.breakers.failed((account, None), now)
    slots = asyncio.Semaphore(SNAPSHOTS_AT_ONCE)

    async def one(job: Job) -> None:
        seen = listed.get(job.gateway_id)
        if seen is None and job.gateway_id is not None:
            async with slots:
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
