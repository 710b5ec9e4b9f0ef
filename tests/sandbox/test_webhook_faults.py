"""Rows 19 and 22: webhooks lost, doubled, late, early, wrongly signed, or of an older kind."""

import time
from typing import Any

import pytest

from tests.sandbox.harness import Receiver, Sandbox, Start, signature_holds, until


@pytest.mark.parametrize(
    "switches", [{"webhook_lose": "all"}, {"webhook_lose": ["completed"]}, {"webhook_loss_rate": 1}]
)
def test_events_can_be_lost_without_trace(
    fast: Sandbox, job: Start, receiver: Receiver, switches: dict[str, Any]
) -> None:
    started = job(duration=0, **switches)
    assert fast.get(started)["status"] == "completed"
    assert fast.owed(job_id=started)[0]["state"] == "lost"
    assert fast.get(started)["webhook"]["delivery"]["total_attempts"] == 0
    job(duration=0)
    receiver.wait(1)
    assert started not in {hook.body["data"]["id"] for hook in receiver.hooks}


def test_a_share_of_events_is_lost_and_the_seed_decides_which(fast: Sandbox, job: Start) -> None:
    def lost() -> list[int]:
        for _ in range(20):
            job(duration=0, webhook_loss_rate=0.5)
        return [row["number"] for row in fast.truth() if fast.owed(job_id=row["id"])[0]["state"] == "lost"]

    first = lost()
    assert 3 < len(first) < 17


def test_all_webhooks_can_stop_and_come_back(fast: Sandbox, job: Start, receiver: Receiver) -> None:
    fast.faults(hooks_stopped=True)
    silent = job(duration=0)
    until(lambda: fast.owed(job_id=silent, state="lost"))
    fast.faults(hooks_stopped=False)
    told = job(duration=0)
    assert receiver.wait(1)[0].body["data"]["id"] == told


def test_copies_come_after_each_other_or_at_once(job: Start, receiver: Receiver) -> None:
    job(duration=0, webhook_duplicates=2)
    assert len({hook.body["id"] for hook in receiver.wait(3)}) == 1
    receiver.hooks.clear()
    receiver.hold.clear()  # nobody is answered until all have come
    job(duration=0, webhook_concurrent=2)
    receiver.wait(3)
    receiver.hold.set()


def test_copies_can_come_long_after_later_events(job: Start, receiver: Receiver) -> None:
    job(duration=0, webhook_duplicates=3, webhook_duplicates_within=600)
    hooks = receiver.wait(4)
    assert len({hook.body["id"] for hook in hooks}) == 1
    assert hooks[-1].at - hooks[0].at > 0.05


def test_an_event_can_be_late(job: Start, receiver: Receiver) -> None:
    began = time.time()
    job(duration=0, webhook_delay=300)
    assert receiver.wait(1)[0].at - began >= 0.45


def test_the_order_of_events_can_be_lost(job: Start, receiver: Receiver) -> None:
    job(["progress"], webhook_shuffle=300)
    buckets = [hook.body["delivery"]["key"] for hook in receiver.wait(11)]
    assert buckets != sorted(buckets, key=lambda key: int(key.rpartition(":")[2]))


def test_an_event_can_come_before_the_create_answer(job: Start, receiver: Receiver) -> None:
    job(["created", "completed"], duration=0, webhook_early=True)
    assert {hook.body["type"] for hook in receiver.hooks} == {"video.created", "video.completed"}


def test_the_first_attempts_can_get_lost_on_the_way(fast: Sandbox, job: Start, receiver: Receiver) -> None:
    started = job(duration=0, webhook_fail_attempts=2)
    assert receiver.wait(1)[0].headers["x-phaseo-attempt"] == "3"
    assert until(lambda: fast.owed(job_id=started, state="delivered"))[0]["statuses"] == [None, None, 200]


def test_the_legacy_headers_and_payload_can_be_had(
    endpoint: dict[str, Any], job: Start, receiver: Receiver
) -> None:
    job(duration=0, webhook_legacy=True, webhook_bare=True)
    hook = receiver.wait(1)[0]
    assert not [name for name in hook.headers if name.startswith("x-phaseo")]
    assert len([name for name in hook.headers if name.startswith("x-ai-stats")]) == 7
    assert hook.headers["user-agent"] == "AI-Stats-Async-Webhook/1.0"
    assert signature_holds(hook, endpoint["signing_secret"], "x-ai-stats")
    assert set(hook.body) == {"type", "created_at", "data"}


def test_a_signature_can_be_wrong_or_old(endpoint: dict[str, Any], job: Start, receiver: Receiver) -> None:
    job(duration=0, webhook_wrong_secret=True)
    assert not signature_holds(receiver.wait(1)[0], endpoint["signing_secret"])
    job(duration=0, webhook_timestamp_offset=-3600)
    old = receiver.wait(2)[1]
    assert signature_holds(old, endpoint["signing_secret"])
    assert time.time() - int(old.headers["x-phaseo-timestamp"]) > 3590


def test_an_event_can_be_triggered_and_ends_a_running_job(
    fast: Sandbox, job: Start, receiver: Receiver
) -> None:
    started = job(outcome="never")
    assert fast.control.post(f"/jobs/{started}/trigger", json={"event": "video.failed"}).status_code == 202
    receiver.wait(1, "video.failed")
    assert fast.get(started)["status"] == "failed"
    fast.control.post(f"/jobs/{started}/trigger", json={"event": "video.failed"})
    assert len({hook.body["id"] for hook in receiver.wait(2, "video.failed")}) == 1


def test_a_trigger_says_what_it_does_not_know(fast: Sandbox, job: Start) -> None:
    answer = fast.control.post(f"/jobs/{job()}/trigger", json={"event": "video.exploded"})
    assert answer.status_code == 400
    assert "video.completed" in answer.json()["error"]
    assert fast.control.post("/jobs/G-NOPE/trigger", json={"event": "video.failed"}).status_code == 404
