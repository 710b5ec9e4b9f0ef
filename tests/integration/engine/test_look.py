"""Looking: the gateway's guidance kept, errors survived, live evidence checked, races won once."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from orchestrator.core.job import Observation, Source
from orchestrator.core.lifecycle import Seen, State, Verdict
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.look import HELD_AT_ONCE
from orchestrator.engine.observe import observe
from orchestrator.fault_points import FaultPoint
from orchestrator.store import jobs
from orchestrator.store.database import Transaction
from tests.integration.engine.harness import Engine, held_at
from tests.sandbox.harness import Receiver, Sandbox

OPENAI, XAI = "openai/sora-2", "x-ai/grok-video"


def gets(sandbox: Sandbox, path: str = "/v1/videos/") -> int:
    """How many GETs the gateway was asked, of jobs (or, without the slash, of the list too)."""
    rows = sandbox.control.get("/requests", params={"method": "GET", "path": path}).json()
    return int(rows["count"])


def observed(engine: Engine, job_id: str) -> list[tuple[Source, Seen, Verdict]]:
    return [(one.source, one.seen, one.verdict) for one in engine.timeline(job_id)]


def test_a_look_that_changes_nothing_moves_counters_and_the_next_due_time_only(engine: Engine) -> None:
    job_id = engine.created(duration=600)
    engine.look_when_due(job_id)  # `queued` became `processing`: kept
    kept = len(engine.timeline(job_id))
    for _ in range(3):
        job = engine.look_when_due(job_id)
        assert job.due_at == engine.now + 20.0
    assert (job.looks, job.look_errors, job.leased_by) == (4, 0, None)
    assert len(engine.timeline(job_id)) == kept


def test_of_jobs_that_changed_few_are_held_at_a_time_and_of_the_others_all(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [engine.created(duration=600) for _ in range(2 * HELD_AT_ONCE + 1)]
    looked: list[int] = []  # after each commit
    write = engine.store.write

    @contextmanager
    def counted(*, durable: bool = True) -> Iterator[Transaction]:
        with write(durable=durable) as tx:
            yield tx
        looked.append(sum(engine.job(one).looks for one in ids))

    monkeypatch.setattr(engine.store, "write", counted)

    def looks() -> list[int]:
        """How many jobs each transaction of one look has kept one of."""
        looked[:] = [sum(engine.job(one).looks for one in ids)]
        engine.later(20.0)
        engine.look()
        return [after - before for before, after in pairwise(looked) if after > before]

    assert looks() == [HELD_AT_ONCE, HELD_AT_ONCE, 1], "`queued` became `processing`"
    assert looks() == [len(ids)], "nothing changed"


def test_the_guidance_is_read_again_on_every_answer(engine: Engine) -> None:
    job_id = engine.created(duration=600, poll_after_seconds=7)
    assert engine.job(job_id).due_at == engine.now + 20.0, "a create's answer has none"
    assert engine.look_when_due(job_id).due_at == engine.now + 7.0


def test_without_guidance_the_setting_stands_in(engine: Engine) -> None:
    job_id = engine.created(duration=600, poll_after_seconds="absent")
    assert engine.look_when_due(job_id).due_at == engine.now + 20.0


def test_retry_after_puts_the_next_look_off(engine: Engine) -> None:
    job_id = engine.created(duration=600, retry_after=90)
    assert engine.look_when_due(job_id).due_at == engine.now + 90.0


def test_nobody_looks_before_a_job_is_due(engine: Engine, sandbox: Sandbox) -> None:
    engine.created()
    engine.later(19.9)
    assert engine.look() is None
    assert gets(sandbox) == 0


@pytest.mark.parametrize(
    ("outcome", "model", "message"),
    [
        ("failed", "google/veo", "The prompt violates policy."),
        ("failed", OPENAI, "The prompt violates policy."),
        ("failed", XAI, None),
        ("expired", "google/veo", "Operation expired"),
        ("cancelled", "google/veo", "The operation was cancelled."),
    ],
)
def test_a_bad_end_seen_live_is_confirmed_by_the_list_and_keeps_its_reason(
    engine: Engine, outcome: str, model: str, message: str | None
) -> None:
    job_id = engine.created({"model": model}, outcome=outcome)
    job = engine.look_when_due(job_id)
    assert job.state == outcome
    assert job.won_by is Source.LIST
    assert (job.failure or {}).get("message") == message
    assert job.request_id == job.gateway_id
    assert job.due_at is None
    assert [one.key for one in engine.owed(job_id)] == [f"{job_id}/{outcome}/folder"]


@pytest.mark.parametrize("shown", ["failed", "cancelled", "expired"])
def test_a_bad_end_that_the_gateway_has_not_stored_is_not_believed(engine: Engine, shown: str) -> None:
    job_id = engine.created(live_negative=shown, live_negative_times=2, duration=600)
    for _ in range(2):
        job = engine.look_when_due(job_id)
        assert (job.state, job.suspicion) == (State.WAITING, f"{shown}_live")
    job = engine.look_when_due(job_id)
    assert (job.state, job.suspicion, job.failure) == (State.WAITING, None, None)


def test_a_suspicion_is_confirmed_by_a_later_look(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.created(live_negative="failed", duration=600)
    engine.look_when_due(job_id)
    (truth,) = sandbox.truth()
    sandbox.faults(provider_502=[truth["provider"]])
    sandbox.endpoint("http://127.0.0.1:9/nobody")
    ended = sandbox.control.post(f"/jobs/{truth['id']}/trigger", json={"event": "video.failed"})
    assert ended.status_code == 202, ended.text
    job = engine.look_when_due(job_id)
    assert (job.state, job.won_by) == (State.FAILED, Source.LIST), "no GET answered, the list was read"


@pytest.mark.parametrize("regress", ["processing", "queued", "expired", "502"])
def test_a_completed_job_stays_so_whatever_a_look_says_afterwards(
    hooked: Engine, hooks: Receiver, regress: str
) -> None:
    job_id = hooked.created({"sample_count": 2}, regress=regress, regress_times=1)
    hooked.receive(hooks.wait(1, "video.completed")[0])
    assert hooked.job(job_id).state is State.COMPLETED
    assert hooked.owed(job_id) == [], "how many outputs there are is not known yet"
    hooked.look()
    assert hooked.job(job_id).state is State.COMPLETED
    hooked.look_when_due(job_id)
    assert len(hooked.owed(job_id)) == 2
    assert hooked.job(job_id).due_at is None


def test_outputs_that_no_look_ever_tells_are_handed_off_as_asked_for(hooked: Engine, hooks: Receiver) -> None:
    job_id = hooked.created({"sample_count": 2}, get_502=-1)
    hooked.receive(hooks.wait(1, "video.completed")[0])
    for _ in range(3):
        hooked.look_when_due(job_id)
    assert hooked.job(job_id).detail_tries == 0
    assert hooked.hand_off_all() == 2
    assert len(hooked.files()) == 2


def test_a_failed_webhook_is_followed_by_one_look_that_tells_why(hooked: Engine, hooks: Receiver) -> None:
    job_id = hooked.created(outcome="failed")
    receipt = hooked.receive(hooks.wait(1, "video.failed")[0])
    assert FollowUp(Task.LOOK, 0.0) in receipt.follow_ups
    assert hooked.job(job_id).failure is None
    assert hooked.hand_off() is None, "the outcome waits a little for its reason"
    follow_ups = hooked.look()
    assert FollowUp(Task.HAND_OFF) in (follow_ups or [])
    job = hooked.job(job_id)
    assert (job.failure or {})["message"] == "The prompt violates policy."
    assert hooked.hand_off() is not None
    assert hooked.look() is None


def test_a_failure_whose_reason_never_comes_is_handed_off_without(hooked: Engine, hooks: Receiver) -> None:
    job_id = hooked.created(outcome="failed", get_502=-1)
    hooked.receive(hooks.wait(1, "video.failed")[0])
    for _ in range(3):
        hooked.look_when_due(job_id)
    assert hooked.hand_off() is not None
    assert hooked.job(job_id).due_at is None


def test_a_settled_job_that_lacks_nothing_and_is_due_all_the_same_is_looked_at_once(engine: Engine) -> None:
    job_id = engine.created()
    engine.look_when_due(job_id)
    with engine.store.write() as tx:
        jobs.note(tx, job_id, {"due_at": tx.now})
    assert engine.look() is not None
    assert (engine.job(job_id).state, engine.job(job_id).due_at) == (State.COMPLETED, None)
    assert engine.look() is None


def test_a_word_nobody_knows_means_not_ended_and_is_kept(engine: Engine) -> None:
    job_id = engine.created(status_word="warming_up", duration=600)
    job = engine.look_when_due(job_id)
    assert (job.state, job.gateway_status) == (State.WAITING, "warming_up")
    assert "warming_up" in (engine.timeline(job_id)[-1].note or "")


def test_a_job_that_nobody_ends_times_out_after_one_last_look(engine: Engine) -> None:
    job_id = engine.created(outcome="never", deadline_seconds=40)
    engine.look_when_due(job_id)
    job = engine.look_when_due(job_id)
    assert (job.state, job.looks) == (State.TIMED_OUT, 2)
    assert engine.now == job.deadline_at
    assert [one.outcome for one in engine.owed(job_id)] == ["timed_out"]
    assert engine.look() is None


def test_an_outcome_at_the_last_look_beats_the_deadline(engine: Engine) -> None:
    job_id = engine.created(deadline_seconds=5)
    assert engine.look_when_due(job_id).state is State.COMPLETED


def test_one_look_asks_about_jobs_of_every_kind_and_each_gets_its_own_answer(engine: Engine) -> None:
    kinds = {
        engine.created(): State.COMPLETED,
        engine.created(duration=600): State.WAITING,
        engine.created(outcome="failed"): State.FAILED,
        engine.created(outcome="expired"): State.EXPIRED,
        engine.created({"model": OPENAI}, outcome="cancelled"): State.CANCELLED,
        engine.created(get_502=1, duration=600): State.WAITING,
        engine.created(get_500=1, duration=600): State.WAITING,
        engine.created(live_negative="failed", duration=600): State.WAITING,
        engine.created(create_error="cut_after", duration=600): State.WAITING,
        engine.created(create_error="cut"): State.UNCERTAIN,
        engine.created(outcome="never", deadline_seconds=20): State.TIMED_OUT,
    }
    engine.later(20)
    engine.look()
    assert {job_id: engine.job(job_id).state for job_id in kinds} == kinds
    assert all(engine.job(job_id).leased_by is None for job_id in kinds)


def test_a_look_takes_no_more_than_its_batch(engine: Engine, sandbox: Sandbox) -> None:
    object.__setattr__(engine.settings, "look_batch", 3)
    for _ in range(5):
        engine.created(duration=600)
    engine.later(20)
    engine.look()
    assert gets(sandbox) == 3
    engine.look()
    assert gets(sandbox) == 5


def test_poll_and_hook_racing_have_one_winner_and_one_hand_off(hooked: Engine, hooks: Receiver) -> None:
    ids = [hooked.created(webhook_concurrent=1) for _ in range(6)]
    hooked.later(20)
    come = hooks.wait(2 * len(ids), "video.completed")
    racers = [threading.Thread(target=hooked.look)]
    racers += [threading.Thread(target=hooked.receive, args=(hook,)) for hook in come]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    hooked.hand_off_all()
    for job_id in ids:
        moves = [one for one in hooked.timeline(job_id) if one.to_state is State.COMPLETED]
        assert Counter(one.verdict for one in moves)[Verdict.MOVED] == 1
        assert [one.seq for one in hooked.timeline(job_id)] == list(
            range(1, len(hooked.timeline(job_id)) + 1)
        )
        assert hooked.states(job_id) == ["done"]
    assert len(hooked.files()) == len(ids)


def test_a_look_under_way_when_a_hook_settles_the_job_changes_nothing_any_more(
    hooked: Engine, hooks: Receiver, sandbox: Sandbox
) -> None:
    job_id = hooked.created(regress="processing")
    hooked.later(20)
    hook = hooks.wait(1, "video.completed")[0]
    with held_at(FaultPoint.LOOK_ANSWERED, hooked.look):
        hooked.receive(hook)
    job = hooked.job(job_id)
    assert (job.state, job.due_at, job.won_by) == (State.COMPLETED, None, Source.WEBHOOK)
    assert len(hooked.owed(job_id)) == 1


def test_an_observation_decided_on_a_row_that_moved_is_decided_again(engine: Engine) -> None:
    job_id = engine.created(duration=600)
    with engine.store.write() as tx:
        observe(engine.context, tx, job_id, Observation(Source.LIST, Seen.COMPLETED))
        observe(engine.context, tx, job_id, Observation(Source.LIST, Seen.FAILED_STORED))
    assert engine.job(job_id).clashes == 1
    assert observed(engine, job_id)[-1] == (Source.LIST, Seen.FAILED_STORED, Verdict.CLASH)
