"""After an outage of our receiver, looks are put off to just after the gateway's next try, while it tries."""

from math import ceil
from typing import Any

import numpy as np
import pytest

from orchestrator.core.job import HookTold, Job, Observation, Source
from orchestrator.core.learned.density import density
from orchestrator.core.learned.grid import BINS
from orchestrator.core.learned.induction import hearing, plan
from orchestrator.core.learned.outage import AFTER_TICK, Outage
from orchestrator.core.learned.paces import Pace, Schedule, Why
from orchestrator.core.learned.spans import Spans
from orchestrator.core.lifecycle import Seen, State
from orchestrator.engine import outage
from orchestrator.store import schema
from tests.integration.engine.harness import Engine
from tests.sandbox.harness import Receiver, Sandbox

TICK = 300.0


def sign_of_life(engine: Engine) -> Outage | None:
    with engine.store.write() as tx:
        return outage.sign_of_life(tx)


def latest(engine: Engine) -> Outage | None:
    with engine.store.read() as tx:
        return outage.latest(tx)


def at_a_tick(engine: Engine) -> float:
    """Let it be just after one."""
    tick = ceil(engine.now / TICK) * TICK
    engine.later(tick - engine.now)
    return tick


def learned(engine: Engine, job: Job) -> None:
    """Jobs like this one end at any age up to 25 minutes, and their webhooks come at once."""
    spans = Spans()
    for age in np.linspace(100.0, 1_500.0, 300):
        spans.add(float(age), float(age))
    instant = np.zeros(BINS + 1)
    instant[0] = 1.0
    made = plan(density(spans), hearing(0.02, instant), floor=20.0, request_seconds=20.0, longest=900.0)
    schedules = {(job.ending_class or "", job.channel): Schedule(Pace(Why.LEARNED, made))}
    engine.context.paces.schedules = schedules


def due_after_an_outage(engine: Engine, **switches: Any) -> str:
    """A job whose first look is due 120 s after a tick; for 100 s before that the receiver was away."""
    at_a_tick(engine)
    job_id = engine.created(**{"duration": 600} | switches)
    learned(engine, engine.job(job_id))
    engine.later(20)
    assert sign_of_life(engine) is None
    engine.later(100)
    assert sign_of_life(engine) == Outage(engine.now - 100, engine.now)
    with engine.store.write() as tx:
        tx.execute(schema.jobs.update().values(due_at=tx.now))
    return job_id


def gets(sandbox: Sandbox) -> int:
    return int(
        sandbox.control.get("/requests", params={"method": "GET", "path": "/v1/videos/"}).json()["count"]
    )


def test_a_receiver_that_falls_silent_for_longer_than_a_restart_was_away(engine: Engine) -> None:
    assert sign_of_life(engine) is None
    engine.later(20)
    assert sign_of_life(engine) is None
    engine.later(21)
    assert sign_of_life(engine) == latest(engine) == Outage(engine.now - 21, engine.now)
    engine.later(21)
    assert latest(engine) is None, "it is away again"
    assert sign_of_life(engine) == Outage(engine.now - 21, engine.now)
    for _ in range(121):
        engine.later(20)
        sign_of_life(engine)
    assert latest(engine) is None, "the gateway's attempts are spent"


def test_a_job_that_may_be_told_on_the_next_tick_is_not_asked_about_before(
    hooked: Engine, sandbox: Sandbox
) -> None:
    job_id = due_after_an_outage(hooked)
    follow_ups = hooked.look()
    assert follow_ups is not None
    job = hooked.job(job_id)
    assert (job.due_at, job.leased_by, job.looks) == (hooked.now + 180.0 + AFTER_TICK, None, 0)
    assert [one.delay for one in follow_ups] == [180.0 + AFTER_TICK]
    assert gets(sandbox) == 0
    hooked.later(180.0)
    sign_of_life(hooked)
    hooked.later(AFTER_TICK)
    assert hooked.look() is not None
    assert (hooked.job(job_id).looks, gets(sandbox)) == (1, 1)


def test_a_job_that_is_told_on_the_tick_needs_no_look(hooked: Engine, hooks: Receiver) -> None:
    job_id = due_after_an_outage(hooked, duration=0)
    hooked.look()
    hooked.receive(hooks.wait(event="video.completed")[0])
    job = hooked.job(job_id)
    assert (job.state, job.won_by, job.looks, job.due_at) == (State.COMPLETED, Source.WEBHOOK, 0, None)


def test_where_nothing_was_learned_the_guidance_is_followed(hooked: Engine, sandbox: Sandbox) -> None:
    job_id = due_after_an_outage(hooked)
    hooked.context.paces.schedules = {}
    hooked.look()
    assert (hooked.job(job_id).looks, gets(sandbox)) == (1, 1)


@pytest.mark.parametrize(("next_try_in", "looks"), [(180.0, 0), (None, 1)])
def test_what_a_look_finds_of_the_gateway_s_plans_decides_about_the_others(
    hooked: Engine, next_try_in: float | None, looks: int
) -> None:
    job_id = due_after_an_outage(hooked)
    next_try_at = None if next_try_in is None else hooked.now + next_try_in
    told = HookTold(1, delivered=False, last_status=503, next_try_at=next_try_at)
    seen = Observation(Source.POLL, Seen.COMPLETED, ended_at=hooked.now - 60.0, hook=told)
    with hooked.store.write() as tx:
        outage.learn(tx, [seen])
    hooked.look()
    assert hooked.job(job_id).looks == looks


def test_a_look_reads_what_became_of_the_delivery_that_it_was_quicker_than(
    hooked: Engine, hooks: Receiver
) -> None:
    hooks.answers = [(503, "away")] * 2  # `video.created` comes first
    job_id = hooked.created()
    hooks.wait(event="video.completed")
    hooked.later(25)  # the first look is due by then, however near the next tick was
    at_a_tick(hooked)
    hooked.look()
    assert hooked.job(job_id).state is State.COMPLETED
    with hooked.store.read() as tx:
        first = tx.execute(schema.lessons.select().order_by(schema.lessons.c.id)).first()
    assert first is not None
    assert first.data["hook"] == "HTTP 503"
