"""Handing off: whole or not at all, once under its name, and never what is not there."""

import hashlib
import shutil
import threading
from collections.abc import Callable
from typing import Any, Never

import pytest

from orchestrator import fault_points, wiring
from orchestrator.core.job import HandOffState
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.engine.resolve import cancel
from orchestrator.fault_points import FaultPoint
from orchestrator.sinks import Parcel
from orchestrator.sinks.folder import FolderSink
from tests.integration.engine.harness import Engine, NewEngine, completed, outcome_of, try_until_over
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
    assert engine.hand_off_all() == 2
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


# deaths


@pytest.mark.parametrize(
    "point", [FaultPoint.HAND_OFF_CLAIMED, FaultPoint.DELIVERING_STAGED, FaultPoint.HAND_OFF_PUBLISHED]
)
@pytest.mark.parametrize("outcome", ["completed", "failed"])
def test_a_death_at_any_point_leaves_one_whole_file_in_the_end(
    engine: Engine, sandbox: Sandbox, point: FaultPoint, outcome: str
) -> None:
    job_id = engine.created(outcome=outcome)
    engine.look_when_due(job_id)
    if outcome == "completed":
        engine.archive()
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
    assert (told["outcome"], told["state"], told["blame"], told["outputs"]) == (state, state, blame, [])
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
    sinks = engine.sinks
    engine.sinks = {}
    engine.hand_off()
    assert "there is no destination 'folder' any more" in (engine.owed(job_id)[0].last_error or "")
    engine.sinks = sinks
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
    engine.sinks = {"folder": Broken(engine.folder)}
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
