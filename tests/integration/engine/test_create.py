"""Creating: five classes of answers, and never a second job that nobody asked for."""

from contextlib import AbstractContextManager

import pytest

from orchestrator.core.blame import Fault
from orchestrator.core.job import Source, Updates
from orchestrator.core.lifecycle import Seen, State, Verdict
from orchestrator.engine.create import EVENTS
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.submit import Submission, submit
from orchestrator.errors import RequestError
from orchestrator.fault_points import FaultPoint
from orchestrator.store import workers
from orchestrator.store.database import WORKER_DEAD_AFTER, Transaction
from tests.integration.engine.harness import MODEL, Engine, NewEngine, held_at
from tests.sandbox.harness import Receiver, Sandbox, until


def posts(sandbox: Sandbox) -> int:
    """How many creates the gateway was asked for."""
    rows = sandbox.control.get("/requests", params={"method": "POST", "path": "/v1/videos"}).json()
    return int(rows["count"])


def test_a_created_job_waits_for_its_first_look(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.submit()
    assert engine.create() == [FollowUp(Task.LOOK, 20.0)]
    job = engine.job(job_id)
    assert (job.state, job.session_id, job.attempts) == (State.WAITING, f"{job_id}.1", 1)
    (truth,) = sandbox.truth()
    assert (job.gateway_id, job.provider) == (truth["id"], "google-ai-studio")
    assert truth["session_id"] == job.session_id
    assert job.leased_by is None
    assert engine.create() is None


@pytest.mark.parametrize(
    ("error", "blame"),
    [("unsupported_model", Fault.REQUEST), ("upstream_400", Fault.REQUEST), ("payload_too_large", None)],
)
def test_a_refused_job_is_rejected_in_the_gateways_words(
    engine: Engine, sandbox: Sandbox, error: str, blame: Fault | None
) -> None:
    job_id = engine.created(create_error=error)
    job = engine.job(job_id)
    assert job.state is State.REJECTED
    assert job.failure
    assert job.failure["message"]
    assert job.request_id
    assert blame in (None, job.blame)
    assert [one.key for one in engine.owed(job_id)] == [f"{job_id}/rejected/folder"]
    assert engine.create() is None
    assert posts(sandbox) == 1


@pytest.mark.parametrize(
    "error", ["key_limit", "feature_gate", "db_error", "upstream_429", "provider_payment_required"]
)
def test_what_surely_made_no_job_is_asked_again_later(engine: Engine, sandbox: Sandbox, error: str) -> None:
    job_id = engine.created(create_error=error, create_error_times=1)
    job = engine.job(job_id)
    assert (job.state, job.due_at) == (State.ACCEPTED, engine.now + 2.0)
    assert engine.create() is None, "not yet"
    engine.later(2)
    assert engine.create() is not None
    job = engine.job(job_id)
    assert (job.state, job.session_id) == (State.WAITING, f"{job_id}.2")
    assert job.failure is None
    assert len(sandbox.truth()) == 1


def test_a_gateway_that_cannot_be_reached_was_surely_not_asked(new_engine: NewEngine) -> None:
    engine = new_engine(gateway_url="http://127.0.0.1:1/v1")
    job_id = engine.created()
    assert engine.job(job_id).state is State.ACCEPTED
    assert [one.seen for one in engine.timeline(job_id)] == [Seen.ATTEMPT, Seen.NO_JOB]


@pytest.mark.parametrize("error", ["cut", "cut_after", "text_500", "text_500_after", "persistence_failed"])
def test_what_may_have_made_a_job_is_uncertain_and_never_asked_again(
    engine: Engine, sandbox: Sandbox, error: str
) -> None:
    job_id = engine.created(create_error=error, duration=600)
    assert engine.job(job_id).state is State.UNCERTAIN
    for _ in range(4):
        engine.later(5)
        engine.look()
        engine.create()
    assert posts(sandbox) == 1


def test_an_answer_that_takes_too_long_is_uncertain(new_engine: NewEngine, sandbox: Sandbox) -> None:
    engine = new_engine(create_timeout_seconds=0.3)
    sandbox.faults(hold="creates")
    job_id = engine.created(duration=600)
    assert engine.job(job_id).state is State.UNCERTAIN
    until(sandbox.truth)
    engine.later(5)
    engine.look()
    assert engine.job(job_id).state is State.WAITING, "found by its session all the same"


def test_an_attempt_is_safe_on_the_disk_before_the_gateway_is_asked(
    engine: Engine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.submit()
    asked: list[tuple[bool, int]] = []
    write = engine.store.write

    def watched(*, durable: bool = True, **more: bool) -> AbstractContextManager[Transaction]:
        asked.append((durable, posts(sandbox)))
        return write(durable=durable, **more)

    monkeypatch.setattr(engine.store, "write", watched)
    engine.create()
    assert asked == [(True, 0), (True, 1)]


def test_an_endpoint_is_asked_to_call_for_everything_that_settles_a_job(
    hooked: Engine, hooks: Receiver
) -> None:
    hooked.created()
    hooks.wait(2)
    assert {hook.body["type"] for hook in hooks.hooks} <= set(EVENTS)


def test_a_job_followed_by_looks_alone_asks_for_no_webhook(hooked: Engine, sandbox: Sandbox) -> None:
    hooked.created(updates=Updates.POLL)
    assert sandbox.owed() == []


def test_an_endpoint_that_the_gateway_refuses_is_left_out_once_and_for_all(
    hooked: Engine, sandbox: Sandbox
) -> None:
    job_id = hooked.created(create_error="webhook_refused")
    job = hooked.job(job_id)
    assert (job.state, job.without_webhook) == (State.WAITING, True)
    assert posts(sandbox) == 2
    assert len(sandbox.truth()) == 1
    assert sandbox.owed() == []
    assert "without" in (hooked.timeline(job_id)[-1].note or "")


def test_a_hook_before_the_create_call_has_returned_finds_its_job(hooked: Engine, hooks: Receiver) -> None:
    job_id = hooked.submit(webhook_early=True)
    with held_at(FaultPoint.CREATE_ANSWERED, hooked.create):
        for hook in hooks.wait(2):
            hooked.receive(hook)
        early = hooked.job(job_id)
        assert early.state is State.COMPLETED
        assert early.won_by is Source.WEBHOOK
    after = hooked.job(job_id)
    assert (after.state, after.clashes) == (State.COMPLETED, 0)
    assert hooked.timeline(job_id)[-1].verdict is Verdict.LATE
    assert len(hooked.owed(job_id)) == 1


def test_a_create_whose_worker_died_becomes_uncertain_and_is_found(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.submit(duration=600)
    with held_at(FaultPoint.CREATE_ANSWERED, engine.create):  # it is not dead after all
        engine.now += WORKER_DEAD_AFTER  # nobody has beaten
        engine.sweep_by_another()
        assert engine.job(job_id).state is State.UNCERTAIN
    assert engine.job(job_id).state == "waiting"
    assert len(sandbox.truth()) == 1


def test_a_worker_that_was_forgotten_begins_nothing(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.submit()
    with engine.store.write() as tx:
        workers.leave_all(tx)
    assert engine.create() is None
    assert engine.job(job_id).state is State.ACCEPTED
    assert posts(sandbox) == 0


def test_a_worker_that_is_forgotten_meanwhile_keeps_what_it_learned(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.submit(duration=600)
    with held_at(FaultPoint.CREATE_ANSWERED, engine.create), engine.store.write() as tx:
        workers.leave_all(tx)
    assert engine.job(job_id).state is State.WAITING, "its own observation counts, lease or not"


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Submission({"model": MODEL, "webhook": {}}), "webhook"),
        (Submission({"prompt": "p"}), "model"),
        (Submission({"model": MODEL}, reference=""), "reference"),
        (Submission({"model": MODEL}, reference="r" * 201), "reference"),
        (Submission({"model": MODEL}, deadline_seconds=0), "deadline"),
        (Submission({"model": MODEL}, deadline_seconds=float("nan")), "deadline"),
        (Submission({"model": MODEL}, destinations=("bucket",)), "bucket"),
    ],
)
def test_a_job_that_could_never_be_made_is_refused_with_all_that_came_with_it(
    engine: Engine, wanted: Submission, why: str
) -> None:
    with pytest.raises(RequestError, match=why):
        submit(engine.context, [Submission({"model": MODEL}), wanted])
    assert engine.create() is None
