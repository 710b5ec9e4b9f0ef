"""Rows 6 to 10 and 14: what GET says, and how it differs from what the gateway has stored."""

import re
import time
from datetime import datetime
from typing import Any

import pytest

from tests.sandbox.conftest import SPEED
from tests.sandbox.harness import Receiver, Sandbox, captured, next_tick, shape, until

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
OPENAI, XAI, GOOGLE = (
    {"model": "openai/sora-2"},
    {"model": "x-ai/grok-video"},
    {"model": "google/veo-3.1-lite"},
)


@pytest.mark.parametrize(
    ("label", "body", "switches"),
    [
        ("google queued->in progress", GOOGLE, {}),
        ("google completed (2 outputs)", {**GOOGLE, "sample_count": 2}, {"duration": 0}),
        ("google completed with zero samples (filtered)", GOOGLE, {"duration": 0, "content": "missing"}),
        ("google failed", GOOGLE, {"duration": 0, "outcome": "failed"}),
        ("google cancelled", GOOGLE, {"duration": 0, "outcome": "cancelled"}),
        ("google expired", GOOGLE, {"duration": 0, "outcome": "expired"}),
        ("xai failed (no error field)", XAI, {"duration": 0, "outcome": "failed"}),
        ("xai unknown status", XAI, {"queue_seconds": 60, "duration": 90}),
        (
            "completed signed_url only",
            {"sample_count": 2, "output": {"access": "signed_url"}},
            {"duration": 0},
        ),
        ("completed bytes only", {"sample_count": 2, "output": {"access": "bytes"}}, {"duration": 0}),
    ],
)
def test_each_state_has_the_captured_fields(
    sandbox: Sandbox, label: str, body: dict[str, Any], switches: dict[str, Any]
) -> None:
    real, ours = captured(label), sandbox.get(sandbox.create(body, notice="tick", **switches))
    same = ("status", "lifecycle_status", "progress", "progress_source", "poll_after_seconds", "cancel_url")
    assert shape(ours) == shape(real)
    assert {name: ours[name] for name in same} == {name: real[name] for name in same}
    assert ours["billing"]["state"] == real["billing"]["state"]


@pytest.mark.parametrize(
    ("label", "switches"),
    [
        ("openai in_progress 42", {"duration": 60}),
        ("openai failed", {"duration": 0, "outcome": "failed"}),
        ("openai completed", {"duration": 0}),
    ],
)
def test_an_openai_job_has_its_own_types(sandbox: Sandbox, label: str, switches: dict[str, Any]) -> None:
    real, ours = captured(label, "get-openai"), sandbox.get(sandbox.create(OPENAI, notice="tick", **switches))
    assert shape(ours) == shape(real)
    assert ours["status"] == real["status"]
    assert isinstance(ours["created_at"], int)
    assert isinstance(ours["seconds"], str)
    assert (ours["outputs"], ours["asset"]) == ([], None)
    assert type(ours["completed_at"]) is type(real["completed_at"]) or label == "openai failed"


def test_others_give_iso_times_numeric_seconds_and_the_providers_model(sandbox: Sandbox) -> None:
    google, xai = sandbox.get(sandbox.done()), sandbox.get(sandbox.done(XAI))
    assert ISO.fullmatch(google["created_at"])
    assert ISO.fullmatch(google["completed_at"])
    assert google["seconds"] == 8
    assert google["model"] == "veo-3.1-lite-generate-preview"
    assert xai["model"] == "x-ai/grok-video"


def test_a_job_that_its_own_look_noticed_was_completed_at_that_look(sandbox: Sandbox) -> None:
    asked = time.time()
    google = sandbox.get(sandbox.done(notice="tick"))
    assert asked - 0.001 <= datetime.fromisoformat(google["completed_at"]).timestamp() <= time.time()
    openai = sandbox.get(sandbox.done(OPENAI, notice="tick"))
    assert int(asked) <= openai["completed_at"] <= time.time()


def test_openai_alone_says_in_progress_and_moves_its_progress(fast: Sandbox) -> None:
    assert fast.get(fast.create({"model": "google/veo"}, duration=18_000))["status"] == "processing"
    job = fast.create(OPENAI, duration=18_000)  # thirty real seconds
    assert fast.get(job)["status"] == "in_progress"
    until(lambda: 0 < fast.get(job)["progress"] < 100)


def test_poll_after_seconds_is_20_even_at_the_end_and_even_when_sped_up(fast: Sandbox) -> None:
    assert fast.get(fast.create(duration=6000))["poll_after_seconds"] == 20
    assert fast.get(fast.done())["poll_after_seconds"] == 20


def test_the_polling_hint_can_be_another_or_absent(sandbox: Sandbox) -> None:
    assert sandbox.get(sandbox.create(poll_after_seconds=3))["poll_after_seconds"] == 3
    assert "poll_after_seconds" not in sandbox.get(sandbox.create(poll_after_seconds="absent"))


def test_no_answer_has_retry_after_unless_a_switch_asks(sandbox: Sandbox) -> None:
    for job in (sandbox.create(), sandbox.create(get_502=-1)):
        assert "retry-after" not in sandbox.api.get(f"/videos/{job}").headers
    job = sandbox.create(retry_after=90, get_502=1)
    assert [sandbox.api.get(f"/videos/{job}").headers["retry-after"] for _ in range(2)] == ["90", "90"]


def test_cancel_is_always_501(sandbox: Sandbox) -> None:
    for job in (sandbox.create(), "G-NOPE"):
        answer = sandbox.api.post(f"/videos/{job}/cancel")
        assert answer.status_code == 501
        assert shape(answer.json()) == shape(captured("cancel"))


def test_an_unknown_job_is_a_404_in_shape_b(sandbox: Sandbox) -> None:
    answer = sandbox.api.get("/videos/G-NOPE")
    assert answer.status_code == 404
    assert shape(answer.json()) == shape(captured("not found"))
    assert answer.json()["generation_id"] == answer.json()["request_id"] != "G-NOPE"


def _unfindable(sandbox: Sandbox) -> str | None:
    """A new job, if the question came while it cannot be found."""
    job = sandbox.create(not_found_for=180)
    return job if sandbox.api.get(f"/videos/{job}").status_code == 404 else None


def test_a_job_can_be_unfindable_just_after_create(fast: Sandbox) -> None:
    job = until(lambda: _unfindable(fast))
    until(lambda: fast.api.get(f"/videos/{job}").status_code == 200)


@pytest.mark.parametrize(
    ("label", "file", "body", "status"),
    [
        ("google poll 429 upstream", "get", GOOGLE, 429),
        ("google poll 404 upstream", "get", GOOGLE, 404),
        ("openai 429", "get-openai", OPENAI, 429),
    ],
)
def test_a_provider_error_on_get_is_a_502_with_its_status(
    sandbox: Sandbox, label: str, file: str, body: dict[str, Any], status: int
) -> None:
    job, real = sandbox.create(body, get_502=2, get_502_status=status), captured(label, file)
    answers = [sandbox.api.get(f"/videos/{job}") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [502, 502, 200]
    assert shape(answers[0].json()) == shape(real)
    assert answers[0].json()["reason"] == real["reason"]
    assert answers[0].json()["upstream_status"] == status


def test_a_network_fault_on_get_is_plain_text(sandbox: Sandbox) -> None:
    job = sandbox.create(get_500=1)
    first = sandbox.api.get(f"/videos/{job}")
    assert (first.status_code, first.text) == (500, "Internal Server Error")
    assert sandbox.get(job)["status"] == "processing"


@pytest.mark.parametrize("word", ["processing", "queued", "expired"])
def test_get_can_regress_while_the_stored_state_stays(sandbox: Sandbox, word: str) -> None:
    job = sandbox.done(regress=word)
    assert sandbox.get(job)["status"] == word
    assert sandbox.get(job)["billing"]["state"] == "settled"
    assert sandbox.api.get("/videos").json()["data"][0]["status"] == "completed"
    assert sandbox.api.post(f"/videos/{job}/download_url").status_code == 200


def test_get_can_regress_to_502_for_a_while(sandbox: Sandbox) -> None:
    job = sandbox.done(regress="502", regress_times=2)
    assert [sandbox.api.get(f"/videos/{job}").status_code for _ in range(3)] == [502, 502, 200]


def test_the_first_terminal_state_wins(sandbox: Sandbox, receiver: Receiver) -> None:
    endpoint = sandbox.endpoint(receiver.url)["id"]
    job = sandbox.done({"webhook": {"endpoint_id": endpoint}})
    sandbox.control.post(f"/jobs/{job}/trigger", json={"event": "video.failed"})
    receiver.wait(1, "video.failed")
    assert sandbox.truth(id=job)[0]["stored"] == "completed"


def test_a_live_negative_is_seen_by_get_but_never_stored(fast: Sandbox) -> None:
    job = fast.create(live_negative="failed", duration=120)
    assert fast.get(job)["status"] == "failed"
    until(lambda: fast.truth(id=job)[0]["stored"] == "completed")
    assert fast.get(job)["status"] == "failed"
    assert fast.api.get("/videos").json()["data"][0]["status"] == "completed"


def test_an_unknown_word_can_stand_for_a_running_state(sandbox: Sandbox) -> None:
    assert sandbox.get(sandbox.create(status_word="dreaming"))["status"] == "dreaming"


def test_completed_without_content_still_has_a_link(sandbox: Sandbox) -> None:
    job = sandbox.done(content="missing")
    body = sandbox.get(job)
    assert (body["status"], body["outputs"], body["asset"]) == ("completed", [], None)
    assert body["download_url"]
    for answer in (sandbox.content(job), sandbox.anonymous.get(body["download_url"])):
        assert (answer.status_code, answer.json()["reason"]) == (502, "missing_video_uri")
        assert shape(answer.json()) == shape(captured("content google completed zero samples"))


@pytest.mark.parametrize(
    ("body", "switches", "error"),
    [
        (GOOGLE, {}, "The prompt violates policy."),
        (OPENAI, {}, {"code": "moderation_blocked", "message": "The prompt violates policy."}),
        (XAI, {}, None),
        (XAI, {"error": "string", "error_message": "no"}, "no"),
        (
            GOOGLE,
            {"error": "object"},
            {"code": "moderation_blocked", "message": "The prompt violates policy."},
        ),
        (OPENAI, {"error": "absent"}, None),
    ],
)
def test_the_error_of_a_failed_job_is_a_string_an_object_or_absent(
    sandbox: Sandbox, body: dict[str, Any], switches: dict[str, Any], error: Any
) -> None:
    assert sandbox.get(sandbox.done(body, outcome="failed", **switches)).get("error") == error


def test_a_job_nobody_polls_is_noticed_at_the_next_tick(fast: Sandbox) -> None:
    unpolled, polled = fast.done(notice="tick"), fast.done(notice="tick")
    assert fast.get(polled)["status"] == "completed"
    assert fast.truth(id=polled)[0]["stored"] == "completed"
    ticked = until(lambda: fast.truth(id=unpolled, stored="completed"))[0]
    assert ticked["finalized_at"] >= next_tick(ticked["ends_at"], SPEED)


def test_a_call_back_can_be_late(sandbox: Sandbox, fast: Sandbox) -> None:
    assert sandbox.truth(id=sandbox.done(notice_delay=120))[0]["stored"] != "completed"
    job = fast.done(notice_delay=120)
    until(lambda: fast.truth(id=job, stored="completed"))


def test_a_job_that_never_ends_stays_processing(fast: Sandbox) -> None:
    job = fast.create(outcome="never")
    assert fast.get(job)["status"] == "processing"
    assert fast.truth(id=job)[0]["ends_at"] is None
