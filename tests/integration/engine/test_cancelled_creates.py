"""Jobs that are cancelled, or too late, around their create."""

import pytest

from orchestrator.core.blame import Fault
from orchestrator.core.lifecycle import State
from orchestrator.engine.resolve import cancel
from orchestrator.fault_points import FaultPoint
from tests.integration.engine.harness import Engine, NewEngine, held_at
from tests.integration.engine.test_create import posts
from tests.sandbox.harness import Sandbox


@pytest.mark.parametrize("error", ["key_limit", "cut"])
def test_a_job_cancelled_while_a_create_made_nothing_is_not_asked_again(
    new_engine: NewEngine, sandbox: Sandbox, error: str
) -> None:
    engine = new_engine(uncertain_policy="resubmit", uncertain_wait_seconds=0)
    job_id = engine.submit(create_error=error)
    with held_at(FaultPoint.CREATE_ANSWERED, engine.create):
        assert engine.job(job_id).state is State.CREATING
        cancel(engine.context, job_id)
    engine.later(10)
    engine.look()
    engine.create()
    assert engine.job(job_id).state is State.CANCELLED
    assert engine.job(job_id).blame is Fault.CALLER
    assert posts(sandbox) == 1
    assert [one.outcome for one in engine.owed(job_id)] == ["cancelled"]


def test_a_job_cancelled_before_its_create_is_never_asked_of_the_gateway(
    engine: Engine, sandbox: Sandbox
) -> None:
    job_id = engine.submit()
    job, _ = cancel(engine.context, job_id)
    assert (job.state, job.blame) == (State.CANCELLED, Fault.CALLER)
    assert engine.create() is None
    assert posts(sandbox) == 0


def test_a_job_cancelled_after_its_create_runs_on_and_is_not_handed_off(engine: Engine) -> None:
    job_id = engine.created()
    job, _ = cancel(engine.context, job_id)
    assert job.state is State.WAITING
    assert engine.look_when_due(job_id).state is State.COMPLETED
    assert engine.hand_off() is None
    assert engine.owed(job_id) == []


def test_a_cancel_takes_back_what_is_still_owed(engine: Engine) -> None:
    job_id = engine.created()
    engine.look_when_due(job_id)
    cancel(engine.context, job_id)
    assert [one.state for one in engine.owed(job_id)] == ["withdrawn"]
    assert engine.hand_off() is None


def test_a_job_whose_deadline_passed_before_its_create_is_not_made(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.submit(deadline_seconds=5)
    engine.later(5)
    engine.create()
    assert engine.job(job_id).state is State.TIMED_OUT
    assert posts(sandbox) == 0
    assert engine.job(job_id).leased_by is None
