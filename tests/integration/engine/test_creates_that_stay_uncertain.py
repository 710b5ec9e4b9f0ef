"""Uncertain creates: found by their session, left to a person, adopted, resubmitted or given up."""

from collections.abc import Callable

import pytest

from orchestrator.core.blame import Fault
from orchestrator.core.cadence import SEARCH_FOR_PERSON_EVERY
from orchestrator.core.job import Source
from orchestrator.core.lifecycle import State
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.resolve import adopt, give_up, resubmit
from orchestrator.errors import NotAllowed, NotFound
from tests.integration.engine.harness import Engine, NewEngine
from tests.sandbox.harness import Receiver, Sandbox


@pytest.mark.parametrize("error", ["cut_after", "text_500_after", "persistence_failed"])
def test_an_uncertain_create_is_found_by_its_session_in_the_list(
    engine: Engine, sandbox: Sandbox, error: str
) -> None:
    sandbox.create(duration=600)  # of another program
    sandbox.create(session="job_of_somebody_else.1", duration=600)
    job_id = engine.created(create_error=error, duration=600)
    assert engine.look() is None, "a little later only"
    job = engine.look_when_due(job_id)
    mine = next(row for row in sandbox.truth() if row["session_id"] == f"{job_id}.1")
    assert (job.state, job.gateway_id) == (State.WAITING, mine["id"])
    assert job.blame is None


def test_an_uncertain_create_that_ended_meanwhile_is_found_ended(engine: Engine) -> None:
    job_id = engine.created(create_error="cut_after")
    job = engine.look_when_due(job_id)
    assert job.state is State.COMPLETED
    assert job.won_by is Source.LIST
    assert engine.hand_off_all() == 1
    assert len(engine.files()) == 1


def test_an_uncertain_create_is_found_by_a_webhook_that_carries_its_session(
    hooked: Engine, hooks: Receiver
) -> None:
    job_id = hooked.created(create_error="cut_after", duration=600)
    (hook,) = hooks.wait(1, "video.created")
    hooked.receive(hook)
    assert hooked.job(job_id).state is State.WAITING
    assert hooked.job(job_id).gateway_id == hook.body["data"]["id"]


def test_a_search_that_fails_goes_on_a_little_later(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.created(create_error="cut_after", duration=600)
    sandbox.faults(down="gets")
    for _ in range(3):
        assert engine.look_when_due(job_id).state is State.UNCERTAIN
    sandbox.faults(down="none")
    assert engine.look_when_due(job_id).state is State.WAITING


def test_after_a_while_a_person_is_asked_and_a_webhook_may_still_tell(
    hooked: Engine, hooks: Receiver, sandbox: Sandbox
) -> None:
    job_id = hooked.created(create_error="cut_after", duration=600)
    sandbox.faults(down="gets")
    hooked.later(hooked.settings.uncertain_wait_seconds)
    hooked.look()
    job = hooked.job(job_id)
    assert (job.state, job.needs_person) == (State.UNCERTAIN, True)
    assert job.due_at == hooked.now + SEARCH_FOR_PERSON_EVERY, "the search goes on, less often"
    hooked.receive(hooks.wait(1, "video.created")[0])
    assert hooked.job(job_id).state is State.WAITING
    assert not hooked.job(job_id).needs_person


def test_what_nobody_decides_times_out_at_the_deadline(engine: Engine) -> None:
    job_id = engine.created(create_error="cut", deadline_seconds=2_000)
    engine.later(900)
    engine.look()
    assert engine.job(job_id).needs_person
    while engine.job(job_id).state is State.UNCERTAIN:
        job = engine.look_when_due(job_id)
    assert engine.now == job.deadline_at
    assert (job.state, job.blame) == (State.TIMED_OUT, Fault.UNCERTAIN_CREATE)
    assert [one.outcome for one in engine.owed(job_id)] == ["uncertain", "timed_out"]


def test_an_operator_may_choose_to_risk_another_job(new_engine: NewEngine, sandbox: Sandbox) -> None:
    engine = new_engine(uncertain_policy="resubmit", uncertain_wait_seconds=0)
    job_id = engine.created(create_error="cut", create_error_times=1)
    assert engine.look_when_due(job_id).state is State.ACCEPTED
    engine.create()
    assert engine.job(job_id).state is State.WAITING
    assert "both are paid" in (engine.timeline(job_id)[2].note or "")


def test_a_person_adopts_the_job_they_recognise(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.created(create_error="cut")
    made = sandbox.create(duration=0)
    adopt(engine.context, job_id, made)
    assert engine.job(job_id).gateway_id == made
    assert engine.look_when_due(job_id).state is State.COMPLETED


def test_a_gateway_job_that_has_an_owner_cannot_be_adopted(engine: Engine) -> None:
    owner = engine.created(duration=600)
    taken = engine.job(owner).gateway_id
    assert taken
    other = engine.created(create_error="cut")
    with pytest.raises(NotAllowed, match=f"already belongs to {owner}"):
        adopt(engine.context, other, taken)


def test_a_job_that_has_a_gateway_job_cannot_be_given_another(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.created(duration=600, deadline_seconds=10)
    engine.later(20)
    engine.look()
    assert engine.job(job_id).state is State.TIMED_OUT
    with pytest.raises(NotAllowed, match="already has the gateway job"):
        adopt(engine.context, job_id, sandbox.create())


def test_a_person_resubmits_or_gives_up(engine: Engine) -> None:
    again, over = engine.created(create_error="cut", create_error_times=1), engine.submit(create_error="cut")
    engine.create()
    resubmit(engine.context, again)
    engine.create()
    assert engine.job(again).state is State.WAITING
    assert give_up(engine.context, over) == [FollowUp(Task.HAND_OFF)]
    assert engine.job(over).state is State.TIMED_OUT


@pytest.mark.parametrize("decide", [resubmit, give_up])
def test_only_an_uncertain_create_is_for_a_person_to_decide(
    engine: Engine, decide: Callable[..., object]
) -> None:
    job_id = engine.created(duration=600)
    with pytest.raises(NotAllowed, match="waiting"):
        decide(engine.context, job_id)
    with pytest.raises(NotFound):
        decide(engine.context, "job_nope")
