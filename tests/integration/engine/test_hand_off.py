"""Handing off: whole or not at all, once under its name, and never what is not there."""

import hashlib
import json
import shutil
import threading
from collections.abc import Callable
from typing import Any, Never

import pytest

from orchestrator import fault_points, wiring
from orchestrator.core.effects import owed_outputs
from orchestrator.core.job import Blame, HandOffState, OutputSeen
from orchestrator.core.lifecycle import State
from orchestrator.engine import fetching
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.engine.replay import replay_hand_off
from orchestrator.engine.resolve import cancel
from orchestrator.errors import NotAllowed
from orchestrator.fault_points import FaultPoint
from orchestrator.sinks import Parcel
from orchestrator.sinks.folder import FolderSink, FolderStaging
from orchestrator.store import hand_offs, outputs, workers
from tests.integration.engine.harness import Engine, NewEngine
from tests.sandbox.harness import Sandbox

XAI = "x-ai/grok-video"
OWED, DONE, DEAD, MISSING = (
    HandOffState.OWED,
    HandOffState.DONE,
    HandOffState.DEAD,
    HandOffState.MISSING,
)


class Died(BaseException):
    """Stands in for SIGKILL."""


def die(point: FaultPoint) -> None:
    raise Died(point)


def completed(engine: Engine, request: dict[str, Any] | None = None, **switches: Any) -> str:
    """The id of a job that completed and has not been handed off."""
    job_id = engine.created(request, **switches)
    assert engine.look_when_due(job_id).state is State.COMPLETED
    return job_id


def try_until_over(engine: Engine, job_id: str) -> int:
    """Let time pass from attempt to attempt; how many there were."""
    attempts = 0
    while due := [one.due_at for one in engine.owed(job_id) if one.due_at is not None]:
        engine.later(max(0.0, min(due) - engine.now))
        attempts += engine.hand_off_all()
        assert attempts < 50
    return attempts


def outcome_of(engine: Engine, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(engine.files()[name])
    return found


# well


def test_an_output_is_handed_off_whole_and_what_it_is_is_kept(engine: Engine, sandbox: Sandbox) -> None:
    job_id = completed(engine)
    assert engine.hand_off() == []
    (name,) = engine.files()
    body = engine.files()[name]
    assert name == f"{job_id}-0.mp4"
    gateway_id = engine.job(job_id).gateway_id
    assert gateway_id
    assert body == sandbox.content(gateway_id).content
    (one,) = engine.owed(job_id)
    digest = hashlib.sha256(body).hexdigest()
    assert (one.state, one.bytes, one.sha256, one.attempts) == (DONE, len(body), digest, 1)
    assert one.location == str(engine.folder / name)
    assert one.leased_by is None
    (output,) = engine.outputs(job_id)
    assert (output.bytes, output.sha256, output.mime_type) == (len(body), digest, "video/mp4")
    assert engine.hand_off() is None


def test_a_provider_that_lists_no_outputs_still_has_one(engine: Engine) -> None:
    completed(engine, {"model": "openai/sora-2"})
    assert engine.hand_off_all() == 1
    assert len(engine.files()) == 1


def test_two_outputs_are_two_files(engine: Engine) -> None:
    job_id = completed(engine, {"sample_count": 2})
    follow_ups = engine.hand_off()
    assert follow_ups == [FollowUp(Task.HAND_OFF)], "the second waited for the first"
    assert engine.hand_off() == []
    files = engine.files()
    assert list(files) == [f"{job_id}-0.mp4", f"{job_id}-1.mp4"]
    assert len(set(files.values())) == 2


def test_two_workers_hand_off_two_outputs_in_order(engine: Engine) -> None:
    job_id = completed(engine, {"sample_count": 3})
    threads = [threading.Thread(target=engine.hand_off_all) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.hand_off_all()
    assert engine.states(job_id) == [DONE] * 3
    assert [one.attempts for one in engine.owed(job_id)] == [1, 1, 1]


# content that is not there, or not whole


@pytest.mark.parametrize("content", ["empty", "cut", "truncated", "json", "html", "garbage"])
def test_content_that_is_not_whole_is_fetched_again_and_never_shown(engine: Engine, content: str) -> None:
    job_id = completed(engine, content=content, content_fault_times=1)
    follow_ups = engine.hand_off()
    assert follow_ups == [FollowUp(Task.HAND_OFF, 5.0)]
    assert engine.files() == {}
    (one,) = engine.owed(job_id)
    assert (one.state, one.due_at) == (OWED, engine.now + 5.0)
    assert one.last_error
    engine.later(5)
    engine.hand_off()
    assert engine.states(job_id) == [DONE]
    assert engine.owed(job_id)[0].last_error is None


def test_an_output_of_another_size_than_announced_is_not_taken(engine: Engine) -> None:
    job_id = completed(engine, asset_bytes="wrong")
    engine.hand_off()
    assert engine.files() == {}
    assert "the job's asset says" in (engine.owed(job_id)[0].last_error or "")


def test_an_output_of_the_announced_size_is(engine: Engine) -> None:
    job_id = completed(engine, asset_bytes="right", content_length=True)
    engine.hand_off()
    assert engine.states(job_id) == [DONE]


def test_content_beyond_the_limit_is_dead_at_once_and_its_job_is_told_of_downstream(
    new_engine: NewEngine,
) -> None:
    engine = new_engine(output_max_bytes=1024)
    job_id = completed(engine, content_bytes=100_000)
    engine.hand_off_all()
    assert engine.states(job_id) == [DEAD, DONE]
    assert "OUTPUT_MAX_BYTES" in (engine.owed(job_id)[0].last_error or "")
    assert list(engine.files()) == [f"{job_id}.output_unavailable-0.json"]
    assert not engine.outputs(job_id)[0].missing


def test_content_that_was_never_made_is_an_outcome_of_its_own(engine: Engine) -> None:
    job_id = completed(engine, content="missing")
    began = engine.now
    try_until_over(engine, job_id)
    assert engine.now - began >= engine.settings.content_patience_seconds
    assert engine.states(job_id) == [MISSING, DONE]
    assert engine.outputs(job_id)[0].missing
    told = outcome_of(engine, f"{job_id}.output_missing-0.json")
    assert (told["outcome"], told["blame"]) == ("output_missing-0", Blame.OUTPUT_MISSING)
    assert (told["state"], told["gateway_id"]) == ("completed", engine.job(job_id).gateway_id)


def test_content_that_comes_a_little_late_is_not_missing(engine: Engine) -> None:
    job_id = completed(engine, content_error="missing_video_uri", content_error_times=2)
    try_until_over(engine, job_id)
    assert engine.states(job_id) == [DONE]


def test_an_index_that_silently_gives_the_first_output_again_is_never_delivered(engine: Engine) -> None:
    job_id = completed(engine, {"model": XAI, "sample_count": 2}, outputs=1, outputs_listed=False)
    # The gateway lists none, so one is owed; asked for two, a person may find out that there is one.
    with engine.store.write() as tx:
        outputs.learn(tx, job_id, [OutputSeen(1)])
        hand_offs.owe(tx, list(owed_outputs(engine.job(job_id), (OutputSeen(1),), engine.now)))
    try_until_over(engine, job_id)
    assert engine.states(job_id) == [DONE, MISSING, DONE]
    assert list(engine.files()) == [f"{job_id}-0.mp4", f"{job_id}.output_missing-1.json"]
    assert "does not exist" in (engine.owed(job_id)[1].last_error or "")


def test_an_output_that_never_comes_whole_is_dead_in_the_end_and_a_person_may_try_again(
    new_engine: NewEngine, sandbox: Sandbox
) -> None:
    engine = new_engine(hand_off_attempts=3)
    job_id = completed(engine, content="cut", content_fault_times=3)
    waits = []
    while engine.owed(job_id)[0].state is OWED:
        due_at = engine.owed(job_id)[0].due_at
        assert due_at is not None
        waits.append(due_at - engine.now)
        engine.later(due_at - engine.now)
        engine.hand_off()
    assert waits == [0.0, 5.0, 10.0]
    dead, told = engine.owed(job_id)
    assert (dead.state, dead.attempts, dead.due_at) == (DEAD, 3, None)
    assert told.outcome == "output_unavailable-0"
    replay_hand_off(engine.context, dead.id)
    engine.hand_off_all()
    assert engine.states(job_id) == [DONE, DONE]
    with pytest.raises(NotAllowed):
        replay_hand_off(engine.context, dead.id)


def test_what_was_missing_may_be_asked_for_again(new_engine: NewEngine) -> None:
    engine = new_engine(content_patience_seconds=0)
    job_id = completed(engine, content_error="missing_video_uri", content_error_times=1)
    engine.hand_off()
    missing = engine.owed(job_id)[0]
    assert (missing.state, engine.outputs(job_id)[0].missing) == (MISSING, True)
    assert replay_hand_off(engine.context, missing.id) == [FollowUp(Task.HAND_OFF)]
    engine.hand_off_all()
    assert (engine.owed(job_id)[0].state, engine.outputs(job_id)[0].missing) == (DONE, False)
    assert f"{job_id}-0.mp4" in engine.files()


# leases and deaths


def slow(engine: Engine, monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[float]:
    """Let each piece of content take so long; the moments at which a lease is renewed."""
    renewed: list[float] = []
    real, real_write = hand_offs.renew_if_ours, FolderStaging.write

    def renew(*args: Any, **more: Any) -> bool:
        renewed.append(engine.now)
        return real(*args, **more)

    def write(self: Any, chunk: bytes) -> None:
        engine.later(seconds)
        real_write(self, chunk)

    monkeypatch.setattr(FolderStaging, "write", write)
    monkeypatch.setattr(hand_offs, "renew_if_ours", renew)
    engine.context.clock = lambda: engine.now
    return renewed


def test_a_lease_is_renewed_however_slowly_bytes_flow(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = completed(engine, content_bytes=1_500_000)
    renewed = slow(engine, monkeypatch, seconds=fetching.LEASE - 1)
    assert engine.hand_off() == []
    assert len(renewed) >= 5
    assert engine.states(job_id) == [DONE]
    assert engine.owed(job_id)[0].fence == 1


def test_a_lease_is_not_renewed_while_bytes_come_quickly(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    completed(engine, content_bytes=1_500_000)
    renewed = slow(engine, monkeypatch, seconds=1)
    assert engine.hand_off() == []
    assert renewed == []


def test_an_attempt_that_lost_its_lease_while_fetching_leaves_the_rest_to_the_other(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = completed(engine, content_bytes=1_000_000)
    slow(engine, monkeypatch, seconds=200)  # asleep for longer than its lease
    real_write = FolderStaging.write

    def overtaken(self: FolderStaging, chunk: bytes) -> None:
        real_write(self, chunk)
        with engine.store.write() as tx:
            workers.join(tx, "other", host="there", pid=3)
            assert hand_offs.claim_due(tx, worker="other", lease=60)

    monkeypatch.setattr(FolderStaging, "write", overtaken)
    assert engine.hand_off() == []
    assert engine.files() == {}
    (one,) = engine.owed(job_id)
    assert (one.leased_by, one.fence, one.last_error) == ("other", 2, None)


@pytest.mark.parametrize(
    "point", [FaultPoint.HAND_OFF_CLAIMED, FaultPoint.HAND_OFF_STAGED, FaultPoint.HAND_OFF_PUBLISHED]
)
@pytest.mark.parametrize("outcome", ["completed", "failed"])
def test_a_death_at_any_point_leaves_one_whole_file_in_the_end(
    engine: Engine, sandbox: Sandbox, point: FaultPoint, outcome: str
) -> None:
    job_id = engine.created(outcome=outcome)
    engine.look_when_due(job_id)
    fault_points.arm(point, die)
    with pytest.raises(Died):
        engine.hand_off()
    published = engine.files() if point is FaultPoint.HAND_OFF_PUBLISHED else {}
    engine.die_and_start_again()
    assert engine.hand_off() == []
    assert engine.states(job_id) == [DONE]
    files = engine.files()
    assert len(files) == 1
    assert published in ({}, files), "what was published stays as it was"
    (body,) = files.values()
    assert engine.owed(job_id)[0].sha256 == hashlib.sha256(body).hexdigest()
    if published:
        fetched = sum(row["content_gets"] for row in sandbox.truth())
        assert fetched == (1 if outcome == "completed" else 0), "not fetched a second time"


# outcomes


@pytest.mark.parametrize(
    ("switches", "state", "blame"),
    [
        ({"outcome": "failed"}, "failed", "provider"),
        ({"outcome": "expired"}, "expired", "provider"),
        ({"outcome": "cancelled"}, "cancelled", "provider"),
        ({"create_error": "unsupported_model"}, "rejected", "request"),
        ({"outcome": "never", "deadline_seconds": 20}, "timed_out", "deadline"),
    ],
)
def test_how_a_job_ended_badly_is_handed_off_as_a_file(
    engine: Engine, switches: dict[str, Any], state: str, blame: str
) -> None:
    job_id = engine.created(reference="order 7", metadata={"user": "ü"}, **switches)
    if state != "rejected":
        engine.look_when_due(job_id)
    assert engine.hand_off_all() == 1
    told = outcome_of(engine, f"{job_id}.{state}.json")
    job = engine.job(job_id)
    assert (told["outcome"], told["state"], told["blame"]) == (state, state, blame)
    assert (told["job_id"], told["reference"], told["metadata"]) == (job_id, "order 7", {"user": "ü"})
    assert (told["gateway_id"], told["gateway_request_id"]) == (job.gateway_id, job.request_id)
    assert told["settled_at"].endswith("+00:00")
    assert told["timeline"][-1]["state"] == state
    assert [one["source"] for one in told["timeline"]] == [one.source for one in engine.timeline(job_id)]
    if state != "timed_out":
        assert told["error"]["message"]
        assert told["gateway_request_id"]


def test_a_job_cancelled_before_its_create_says_so_downstream(engine: Engine) -> None:
    job_id = engine.submit()
    cancel(engine.context, job_id)
    engine.hand_off()
    assert outcome_of(engine, f"{job_id}.cancelled.json")["blame"] == "caller"


# destinations in trouble


def unwritable(engine: Engine) -> None:
    engine.folder.write_text("a file in the way")


def vanished(engine: Engine) -> None:
    shutil.rmtree(engine.folder, ignore_errors=True)


@pytest.mark.parametrize("trouble", [unwritable, vanished])
def test_a_destination_in_trouble_keeps_the_job_and_is_tried_again(
    engine: Engine, trouble: Callable[[Engine], None]
) -> None:
    job_id = completed(engine)
    trouble(engine)
    engine.hand_off()
    if engine.states(job_id) != [DONE]:
        assert engine.owed(job_id)[0].last_error
        engine.folder.unlink()
        engine.later(5)
        engine.hand_off()
    assert engine.states(job_id) == [DONE]
    assert len(engine.files()) == 1


def test_a_destination_that_is_configured_no_more_waits_for_it(engine: Engine) -> None:
    job_id = completed(engine)
    sinks = engine.context.sinks
    engine.context.sinks = {}
    engine.hand_off()
    assert "there is no destination 'folder' any more" in (engine.owed(job_id)[0].last_error or "")
    engine.context.sinks = sinks
    engine.later(5)
    engine.hand_off()
    assert engine.states(job_id) == [DONE]


class Broken(FolderSink):
    """A destination with a mistake in it."""

    def stage(self, parcel: Parcel, attempt: int) -> Never:
        raise ValueError("Bearer sk-secret and the caller's prompt")


def test_a_mistake_in_a_destination_uses_up_attempts_and_tells_no_secret(
    new_engine: NewEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine = new_engine(hand_off_attempts=3)
    job_id = completed(engine)
    engine.context.sinks = {"folder": Broken(engine.folder)}
    assert engine.hand_off() == [FollowUp(Task.HAND_OFF, 5.0)]
    (one,) = engine.owed(job_id)
    assert (one.state, one.attempts, one.leased_by) == (OWED, 1, None)
    assert "ValueError" in (one.last_error or "")
    assert try_until_over(engine, job_id) == 2
    (one,) = engine.owed(job_id)
    assert (one.state, one.attempts, one.due_at) == (DEAD, 3, None)
    logged = str([vars(record) for record in caplog.records])
    assert "hand_off_broke" in logged
    for told in (one.last_error or "", logged):
        assert "secret" not in told
        assert "prompt" not in told


# a process that stops


def test_an_attempt_that_a_stop_cuts_off_counts_for_nothing_and_another_process_makes_it(
    engine: Engine,
) -> None:
    job_id = completed(engine)
    engine.context.close()
    assert engine.hand_off() == [FollowUp(Task.HAND_OFF)]
    (one,) = engine.owed(job_id)
    assert (one.state, one.attempts, one.last_error) == (HandOffState.OWED, 0, None)
    engine.context.http = HttpLoop()
    engine.context.gateways = {"default": wiring.gateway(engine.settings)}
    engine.die_and_start_again()
    assert engine.hand_off_all() == 1
    assert engine.states(job_id) == [HandOffState.DONE]
