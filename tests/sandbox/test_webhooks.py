"""Rows 16 to 21: what a webhook looks like, when it comes and how often."""

import json
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from tests.sandbox.conftest import SPEED
from tests.sandbox.harness import (
    EXAMPLES,
    Receiver,
    Sandbox,
    Start,
    next_tick,
    shape,
    signature_holds,
    until,
)

MILLISECOND = 0.001  # as exact as the gateway writes times
ALL = ["created", "status_changed", "progress", "completed", "failed", "cancelled", "expired"]


def moment(written: str) -> float:
    """A time as the gateway writes it, in epoch seconds."""
    return datetime.fromisoformat(written).timestamp()


def example(name: str) -> dict[str, Any]:
    return next(row for row in EXAMPLES if row["example"].startswith(name))


def test_a_webhook_has_the_nine_headers_and_a_hex_signature_over_the_raw_body(
    endpoint: dict[str, Any], job: Start, receiver: Receiver
) -> None:
    started = job(duration=0)
    hook = receiver.wait()[0]
    real = {name.lower(): value for name, value in example("video.completed")["headers"].items()}
    assert set(real) <= set(hook.headers)
    for name in (
        "content-type",
        "user-agent",
        "x-phaseo-event-type",
        "x-phaseo-delivery-key",
        "x-phaseo-attempt",
    ):
        assert hook.headers[name] == real[name]
    assert hook.headers["x-phaseo-max-attempts"] == "4"
    assert hook.headers["x-phaseo-event-id"] == hook.body["id"] == f"evt_video_{started}_video_completed"
    assert endpoint["signing_secret"].startswith("whsec_")
    assert len(endpoint["signing_secret"]) == 49
    assert signature_holds(hook, endpoint["signing_secret"])


@pytest.mark.parametrize("outcome", ["completed", "failed", "cancelled", "expired"])
def test_each_end_sends_its_event_with_the_captured_fields(
    job: Start, receiver: Receiver, outcome: str
) -> None:
    job(ALL, outcome=outcome)
    hook = receiver.wait(1, f"video.{outcome}")[0]
    real = json.loads(example(f"video.{outcome}")["raw_body"])
    for body in (hook.body, real):
        body["data"]["webhook"] |= {"events": [], "attempts": []}
        body["data"]["webhook"]["delivery"]["delivered_event_types"] = []
    assert shape(hook.body) == shape(real)
    assert len(hook.body["data"]) == 49
    for name in ("status", "lifecycle_status", "progress", "reservation_status", "upstream_error"):
        assert hook.body["data"][name] == real["data"][name]
    assert hook.body["data"]["billing"] | {"reservation_id": "", "billed_at": ""} == (
        real["data"]["billing"] | {"reservation_id": "", "billed_at": ""}
    )
    assert list(hook.body) == list(real)


def test_created_status_changed_and_progress_are_sent_to_who_asks(job: Start, receiver: Receiver) -> None:
    job(ALL, queue_seconds=30)
    for event in ("video.created", "video.status_changed", "video.progress"):
        hook, real = receiver.wait(1, event)[0], json.loads(example(event)["raw_body"])
        assert set(hook.body["data"]) == set(real["data"])
        assert list(hook.body) == list(real)
    receiver.wait(1, "video.completed")
    moves = [hook.body["status_change"] for hook in receiver.wait(2, "video.status_changed")]
    assert {(move["previous_status"], move["status"]) for move in moves} == {
        ("queued", "in_progress"),
        ("in_progress", "completed"),
    }
    wanted = {5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95}
    buckets = {hook.body["data"]["progress"] for hook in receiver.wait(len(wanted), "video.progress")}
    assert buckets == wanted


def test_event_ids_name_job_and_key(job: Start, receiver: Receiver) -> None:
    started = job(["status_changed", "progress"])
    ids = {hook.body["id"] for hook in receiver.wait(13)}
    assert f"evt_video_{started}_video_status_changed_queued_in_progress" in ids
    assert f"evt_video_{started}_video_progress_40" in ids
    assert len(ids) == 13


def test_an_endpoint_hears_of_expired_only_when_asked(fast: Sandbox, job: Start, receiver: Receiver) -> None:
    silent, told = job(duration=0, outcome="expired"), job(["video.expired"], duration=0, outcome="expired")
    receiver.wait(1)
    assert [hook.body["data"]["id"] for hook in receiver.hooks] == [told]
    assert fast.owed(job_id=silent) == []
    assert fast.get(silent)["webhook"]["events"] == ["video.completed", "video.failed", "video.cancelled"]


def test_subscriptions_are_normalised(fast: Sandbox, job: Start) -> None:
    started = job(["JOB.Completed", "canceled", "batch.failed", "nonsense"])
    assert fast.get(started)["webhook"]["events"] == ["job.completed", "job.cancelled"]


def test_an_endpoint_with_only_batch_events_falls_back_to_the_job_default(
    fast: Sandbox, receiver: Receiver
) -> None:
    endpoint = fast.endpoint(receiver.url, "batch.completed")
    started = fast.create({"webhook": {"endpoint_id": endpoint["id"]}})
    assert "job.expired" in fast.get(started)["webhook"]["events"]
    assert "job.status_changed" in fast.get(started)["webhook"]["events"]


def test_the_session_id_of_create_comes_back_cut_to_128(
    fast: Sandbox, endpoint: dict[str, Any], receiver: Receiver
) -> None:
    for header in ("x-session-id", "x-phaseo-session-id"):
        body = {
            "prompt": "p",
            "webhook": {"endpoint_id": endpoint["id"]},
            "provider_params": {"sandbox": {"duration": 0}},
        }
        answer = fast.api.post("/videos", json=body, headers={header: header + "s" * 200})
        assert "session_id" not in fast.get(answer.json()["id"])
    sessions = {hook.body["data"]["session_id"] for hook in receiver.wait(2)}
    assert sessions == {(header + "s" * 200)[:128] for header in ("x-session-id", "x-phaseo-session-id")}


def test_a_get_that_finds_the_end_sends_the_event_at_once(
    sandbox: Sandbox, slow_job: Start, receiver: Receiver
) -> None:
    started = slow_job(duration=0, notice="tick")
    assert receiver.hooks == []
    sandbox.get(started)
    assert receiver.wait(1)[0].body["data"]["id"] == started


def test_status_changed_after_a_get_comes_with_the_next_tick_behind_completed(
    fast: Sandbox, job: Start, receiver: Receiver
) -> None:
    started = job(["completed", "status_changed"], duration=0, notice="tick")
    fast.get(started)
    late = receiver.wait(1, "video.status_changed")[0]
    until(lambda: len(fast.owed(job_id=started, state="delivered")) == 2)
    # By when they were sent: two requests may arrive in either order.
    sent = {row["type"]: moment(row["attempts"][0]["tried_at"]) for row in fast.owed(job_id=started)}
    assert sent["video.completed"] <= sent["video.status_changed"]
    assert late.body["data"]["status"] == "completed"
    assert late.at >= next_tick(fast.truth(id=started)[0]["finalized_at"], SPEED)


def test_four_attempts_at_growing_gaps_and_then_no_more(
    fast: Sandbox, job: Start, receiver: Receiver
) -> None:
    receiver.answers = [(500, "no"), (404, "no"), (302, ""), (410, "gone")]
    started = job(duration=0)
    receiver.wait(4)
    state = until(lambda: fast.owed(job_id=started, state="failed_permanently"))[0]
    assert state["statuses"] == [500, 404, 302, 410]
    for (earlier, later), gap in zip(pairwise(state["attempts"]), (60, 300, 900), strict=True):
        tried, again, then = map(moment, (earlier["tried_at"], earlier["next_retry_at"], later["tried_at"]))
        assert again - tried >= gap / SPEED - MILLISECOND
        assert then >= next_tick(again, SPEED) - MILLISECOND
    assert state["attempts"][2]["error_message"] == "Webhook redirects are not allowed"
    assert len(receiver.hooks) == 4


def test_a_retry_keeps_id_and_key_and_renews_the_rest(
    fast: Sandbox, endpoint: dict[str, Any], job: Start, receiver: Receiver
) -> None:
    receiver.answers = [(503, "try later")]
    started = job(duration=0)
    first, second = receiver.wait(2)
    real = json.loads(example("video.completed (attempt 2")["raw_body"])
    for name in ("x-phaseo-event-id", "x-phaseo-delivery-key"):
        assert first.headers[name] == second.headers[name]
    assert (first.body["delivery"]["attempt"], second.body["delivery"]["attempt"]) == (1, 2)
    assert first.headers["x-phaseo-signature"] != second.headers["x-phaseo-signature"]
    assert signature_holds(second, endpoint["signing_secret"])
    ours, theirs = second.body["data"]["webhook"], real["data"]["webhook"]
    assert shape(ours["attempts"]) == shape(theirs["attempts"])
    same = (
        "total_attempts",
        "pending_retries",
        "last_attempt_status",
        "last_response_status",
        "last_error_message",
    )
    assert ours["attempts"][0]["response_body_preview"] == "try later"
    assert {name: ours["delivery"][name] for name in same if name != "pending_retries"} == {
        name: theirs["delivery"][name] for name in same if name != "pending_retries"
    }
    told = until(
        lambda: fast.get(started)["webhook"]["delivery"]["delivered_events"] and fast.get(started)["webhook"]
    )
    assert told["delivery"]["total_attempts"] == 2


def test_a_rotation_counts_from_the_next_attempt_on(
    fast: Sandbox, endpoint: dict[str, Any], job: Start, receiver: Receiver
) -> None:
    receiver.answers = [(500, "")]
    receiver.hold.clear()  # until the secret is another one
    job(duration=0)
    receiver.wait(1)
    rotated = fast.management.post(f"/webhook-endpoints/{endpoint['id']}/rotate-secret").json()
    receiver.hold.set()
    first, second = receiver.wait(2)
    assert signature_holds(first, endpoint["signing_secret"])
    assert signature_holds(second, rotated["signing_secret"])
    assert rotated["signing_secret"] != endpoint["signing_secret"]


def test_a_disabled_endpoint_drops_and_a_later_get_sends_again(
    sandbox: Sandbox, slow_endpoint: dict[str, Any], slow_job: Start, receiver: Receiver
) -> None:
    started, address = slow_job(duration=0, notice="tick"), f"/webhook-endpoints/{slow_endpoint['id']}"
    sandbox.management.patch(address, json={"status": "disabled"})
    sandbox.get(started)
    until(lambda: sandbox.owed(job_id=started, state="dropped"))
    sandbox.management.patch(address, json={"status": "active"})
    assert receiver.hooks == []
    sandbox.get(started)
    receiver.wait(1)


def test_a_receiver_that_is_down_is_retried(fast: Sandbox) -> None:
    nobody = fast.endpoint("http://127.0.0.1:9/")["id"]
    started = fast.done({"webhook": {"endpoint_id": nobody}})
    row = until(lambda: fast.owed(job_id=started, state="failed_permanently"))[0]
    assert row["statuses"] == [None] * 4
    assert all(attempt["error_message"] for attempt in row["attempts"])
