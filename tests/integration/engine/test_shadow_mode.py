"""In shadow mode looks decide, by the gateway's guidance, and webhooks are evidence about webhooks alone."""

from typing import Any

from orchestrator.core.job import Source, Updates
from orchestrator.core.lifecycle import State, Verdict
from orchestrator.store import schema
from tests.integration.engine.harness import Engine, NewEngine
from tests.sandbox.harness import Receiver


def lessons(engine: Engine) -> list[dict[str, Any]]:
    with engine.store.read() as tx:
        return [row.data for row in tx.execute(schema.lessons.select().order_by(schema.lessons.c.id))]


def test_a_look_settles_it_by_guidance_and_the_webhook_counts_as_come(
    hooked: Engine, hooks: Receiver
) -> None:
    job_id = hooked.created(updates=Updates.SHADOW)
    assert hooked.job(job_id).hooked
    hooked.later(5)
    hooked.receive(hooks.wait(event="video.completed")[0])
    assert (job := hooked.job(job_id)).state is State.WAITING
    assert job.due_at == hooked.now + 15.0
    job = hooked.look_when_due(job_id)
    assert (job.state, job.won_by, job.looks) == (State.COMPLETED, Source.POLL, 1)
    assert len(hooked.owed(job_id)) == 1
    ended = lessons(hooked)[0]
    assert (ended["told_by"], ended["came"], ended["updates"]) == ("poll", True, "shadow")
    assert (ended["heard"], ended["caused"]) == (5.0, False)


def test_a_webhook_that_its_own_look_caused_tells_nothing_of_the_delay(
    hooked: Engine, hooks: Receiver
) -> None:
    job_id = hooked.created(updates=Updates.SHADOW, notice="tick")
    hooked.look_when_due(job_id)
    hooked.receive(hooks.wait(event="video.completed")[0])
    other = hooked.created(updates=Updates.SHADOW)
    hook = hooks.wait(2, event="video.completed")[1]
    hooked.later(18)
    hooked.receive(hook)  # as if it had come while the look was under way
    hooked.look_when_due(other)
    ends = [one for one in lessons(hooked) if one["told_by"] == "poll"]
    assert [(one["came"], one["caused"]) for one in ends[::2]] == [(False, False), (True, True)]


def test_a_failure_that_a_look_suspects_is_confirmed_by_the_list_and_not_by_the_webhook(
    hooked: Engine, hooks: Receiver
) -> None:
    job_id = hooked.created(updates=Updates.SHADOW, outcome="failed")
    hooked.receive(hooks.wait(event="video.failed")[0])
    assert hooked.job(job_id).state is State.WAITING
    job = hooked.look_when_due(job_id)
    assert (job.state, job.won_by) == (State.FAILED, Source.LIST)
    assert job.failure is not None
    assert [one.verdict for one in hooked.timeline(job_id)[-3:]] == [
        Verdict.SCORED,
        Verdict.KNOWN,
        Verdict.MOVED,
    ]


def test_a_webhook_that_tells_what_an_uncertain_create_made_still_acts(
    hooked: Engine, hooks: Receiver
) -> None:
    job_id = hooked.created(updates=Updates.SHADOW, create_error="cut", create_leaves_job=True, duration=600)
    assert hooked.job(job_id).state is State.UNCERTAIN
    hooked.receive(hooks.wait(event="video.created")[0])
    job = hooked.job(job_id)
    assert (job.state, job.won_by) == (State.WAITING, None)
    assert job.gateway_id is not None


def test_what_a_submission_does_not_say_is_as_the_settings_say(new_engine: NewEngine) -> None:
    engine = new_engine(updates="shadow")
    assert engine.job(engine.submit()).updates is Updates.SHADOW
    assert engine.job(engine.submit(updates=Updates.POLL)).updates is Updates.POLL
