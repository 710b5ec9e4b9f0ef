"""The same jobs by the guidance and as learned: the ledger tells of both what the gateway's log has."""

from random import Random

import pytest
from sqlalchemy import func, select

from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from orchestrator.engine.learning import learn
from orchestrator.engine.pacing import Pacer
from orchestrator.store import ledger, schema
from orchestrator.store.ledger import Sums
from tests.integration.engine.harness import Engine, NewEngine
from tests.sandbox.harness import Sandbox

JOBS = 40
LONG_AGO = 1e7  # seconds: the gateway's times, which are real ones, tell nothing here


def lasting(seed: int) -> list[float]:
    """Seconds that the provider takes for each job."""
    random = Random(seed)
    return [random.gauss(90.0, 15.0) for _ in range(JOBS)]


def begin(engine: Engine) -> Engine:
    engine.later(LONG_AGO)
    engine.context.random = Random(7).random
    return engine


def follow(engine: Engine, sandbox: Sandbox, seconds: list[float]) -> int:
    """Let jobs end at these ages, and be looked at when that is due. How many GETs the gateway saw."""
    before = gets(sandbox)
    ids = [engine.created(duration=100_000, updates=Updates.POLL) for _ in seconds]
    began = engine.now
    ends = sorted(
        (began + age, engine.job(job_id).gateway_id) for job_id, age in zip(ids, seconds, strict=True)
    )
    while (due_at := next_due(engine)) is not None:
        if ends and ends[0][0] <= due_at:
            at, gateway_id = ends.pop(0)
            engine.later(at - engine.now)
            sandbox.control.post(f"/jobs/{gateway_id}/end", json={"status": "completed"}).raise_for_status()
        else:
            engine.later(due_at - engine.now)
            engine.look()
    learn(engine.context)
    return gets(sandbox) - before


def next_due(engine: Engine) -> float | None:
    """When the next of the jobs that have not ended is to be looked at."""
    waiting = schema.jobs.c.state == State.WAITING
    with engine.store.read() as tx:
        found: float | None = tx.execute(select(func.min(schema.jobs.c.due_at)).where(waiting)).scalar_one()
    return found


def gets(sandbox: Sandbox) -> int:
    asked = sandbox.control.get("/requests", params={"method": "GET", "path": "/v1/videos/G-"}).json()[
        "requests"
    ]
    return sum(not one["path"].endswith("/content") for one in asked)


def account(engine: Engine) -> Sums:
    with engine.store.read() as tx:
        return ledger.total(tx)


def test_looks_at_a_job_that_never_ended_count_too(new_engine: NewEngine, sandbox: Sandbox) -> None:
    engine = begin(new_engine(cadence="guidance"))
    before = gets(sandbox)
    job_id = engine.created(outcome="never", deadline_seconds=300)
    while engine.job(job_id).state is State.WAITING:
        engine.look_when_due(job_id)
    assert engine.job(job_id).state is State.TIMED_OUT
    learn(engine.context)
    counted = account(engine)
    assert (counted.jobs, counted.looks) == (1, gets(sandbox) - before)
    assert counted.guidance_looks == pytest.approx(counted.looks, abs=1.5)
    assert (counted.lag, counted.guidance_lag, counted.awaited) == (0.0, 0.0, 0)


def test_looks_are_counted_and_those_of_the_guidance_foreseen(
    new_engine: NewEngine, sandbox: Sandbox
) -> None:
    guided = begin(new_engine(cadence="guidance"))
    sent = follow(guided, sandbox, lasting(1))
    by_guidance = account(guided)
    assert (by_guidance.jobs, by_guidance.looks) == (JOBS, sent)
    assert by_guidance.guidance_looks == pytest.approx(sent, rel=0.05)
    assert by_guidance.guidance_lag == pytest.approx(by_guidance.lag, rel=0.2)

    learned = begin(new_engine())
    follow(learned, sandbox, lasting(2))
    Pacer(learned.context).refresh()
    before = account(learned)
    fewer = follow(learned, sandbox, lasting(1))
    after = account(learned)
    assert after.looks - before.looks == fewer
    assert fewer < 0.4 * sent
    assert after.guidance_looks - before.guidance_looks == pytest.approx(sent, rel=0.1)
