"""What the gateway says about a job becomes an observation, whatever types a provider uses."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.blame import Fault
from orchestrator.core.job import Failure, OutputSeen, Source
from orchestrator.core.lifecycle import Seen
from orchestrator.gateway import reading, vocabulary
from tests.unit.gateway.captured import RESPONSES, Captured, captured

LOOKS = [entry for entry in RESPONSES if isinstance(entry.json, dict) and "lifecycle_status" in entry.json]

ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [
    "id",
    "status",
    "progress",
    "poll_after_seconds",
    "outputs",
    "asset",
    "usage",
    "billing",
    "error",
    "upstream_error",
    "provider",
    "model",
    "generation_id",
    "request_id",
    "created_at",
    "seconds",
    "session_id",
    "type",
    "data",
    "delivery",
]
HOSTILE_JOB = st.dictionaries(st.sampled_from(FIELDS), ANY_JSON)


def look(**fields: Any) -> Any:
    return vocabulary.from_look({"id": "G-1", "status": "completed", **fields}, "raw")


@pytest.mark.parametrize("entry", LOOKS, ids=lambda entry: entry.name)
def test_every_captured_look_is_understood(entry: Captured) -> None:
    seen = vocabulary.from_look(entry.json, entry.body.decode())
    expected = {"failed": Seen.FAILED_LIVE, "cancelled": Seen.CANCELLED_LIVE, "expired": Seen.EXPIRED_LIVE}
    status = entry.json["status"]
    assert seen.seen == expected.get(status, Seen.COMPLETED if status == "completed" else Seen.OPEN)
    assert seen.status == status
    assert seen.note is None
    assert seen.poll_after == 20
    assert seen.gateway_id == seen.request_id == entry.json["generation_id"]


@pytest.mark.parametrize(
    ("word", "live", "stored"),
    [
        ("queued", Seen.OPEN, Seen.OPEN),
        ("In_Progress", Seen.OPEN, Seen.OPEN),
        ("processing", Seen.OPEN, Seen.OPEN),
        ("pending", Seen.OPEN, Seen.OPEN),
        ("completed", Seen.COMPLETED, Seen.COMPLETED),
        ("failed", Seen.FAILED_LIVE, Seen.FAILED_STORED),
        ("cancelled", Seen.CANCELLED_LIVE, Seen.CANCELLED_STORED),
        ("expired", Seen.EXPIRED_LIVE, Seen.EXPIRED_STORED),
        ("moderating", Seen.OPEN, Seen.OPEN),
    ],
)
def test_the_strength_of_a_word_is_that_of_its_source(word: str, live: Seen, stored: Seen) -> None:
    data = {"id": "G-1", "status": word}
    assert vocabulary.from_look(data, "").seen == vocabulary.from_create(data, "").seen == live
    assert (
        vocabulary.from_list(data).seen == vocabulary.from_webhook("video.progress", data, "").seen == stored
    )


def test_a_list_item_is_stored_evidence_that_tells_nothing_of_outputs() -> None:
    item = captured("get", "list").json["data"][0] | {"status": "completed"}
    seen = vocabulary.from_list(item)
    assert (seen.source, seen.seen, seen.outputs) == (Source.LIST, Seen.COMPLETED, None)
    assert json.loads(seen.raw or "") == item


def test_an_unknown_word_is_kept_and_noted() -> None:
    seen = look(status="moderating")
    assert (seen.seen, seen.status, seen.note) == (
        Seen.OPEN,
        "moderating",
        "unknown status word 'moderating'",
    )


def test_two_outputs_are_seen_and_the_asset_measures_the_first() -> None:
    body = captured("get", "google completed (2 outputs)").json
    body = body | {"asset": body["asset"] | {"bytes": 4711}}
    assert vocabulary.from_look(body, "").outputs == (
        OutputSeen(0, "video/mp4", 4711),
        OutputSeen(1, "video/mp4", None),
    )


@pytest.mark.parametrize(
    ("status", "outputs", "seen"),
    [("completed", [], ()), ("processing", [], None), ("completed", None, None), ("completed", "none", None)],
)
def test_no_outputs_is_news_only_of_a_completed_job(status: str, outputs: Any, seen: Any) -> None:
    assert look(status=status, outputs=outputs).outputs == seen


def test_outputs_of_odd_shape_are_numbered_by_position_and_never_doubled() -> None:
    listed = [{"index": 1}, {"index": True, "mime_type": 3}, "text", {"index": 1, "mime_type": "b"}]
    assert look(outputs=listed).outputs == (OutputSeen(1), OutputSeen(2))


@pytest.mark.parametrize(
    ("label", "failure"),
    [
        ("google failed", Failure("The prompt violates policy.", None, "The prompt violates policy.")),
        ("google failed no message", Failure("no message, code 13", "13", {"code": 13})),
        ("xai failed (no error field)", None),
    ],
)
def test_a_failure_keeps_the_words_of_the_provider(label: str, failure: Failure | None) -> None:
    seen = vocabulary.from_look(captured("get", label).json, "")
    assert (seen.failure, seen.blame) == (failure, Fault.PROVIDER)


def test_an_error_object_gives_message_and_code() -> None:
    seen = vocabulary.from_look(captured("get-openai", "openai failed").json, "")
    assert seen.failure is not None
    assert (seen.failure.message, seen.failure.code) == ("Your request was blocked.", "moderation_blocked")


def test_the_upstream_error_of_a_webhook_is_a_failure_too() -> None:
    error = {"code": "E7", "type": None, "message": None, "description": "too dark", "param": None}
    data = {"id": "G-1", "status": "failed", "upstream_error": error}
    assert vocabulary.from_webhook("video.failed", data, "").failure == Failure("too dark", "E7", error)
    nothing = dict.fromkeys(error)
    assert vocabulary.from_webhook("video.failed", data | {"upstream_error": nothing}, "").failure is None


def test_a_huge_error_is_kept_in_part() -> None:
    failure = look(status="failed", error={"message": "m" * 100_000, "more": "x" * 100_000}).failure
    assert len(failure.message) == 2000
    assert len(failure.detail) < 20_000


@pytest.mark.parametrize(
    ("value", "progress"),
    [
        (42, 42),
        (42.9, 42),
        (-3, 0),
        (101, 100),
        ("7", 7),
        (True, None),
        (None, None),
        (float("nan"), None),
        ([], None),
    ],
)
def test_progress_is_a_clamped_percentage(value: Any, progress: int | None) -> None:
    assert look(progress=value).progress == progress


@pytest.mark.parametrize(
    ("value", "after"),
    [
        (20, 20.0),
        (2.5, 2.5),
        (0, None),
        (-1, None),
        (True, None),
        ("20", None),
        (float("nan"), None),
        (None, None),
    ],
)
def test_the_polling_hint_is_a_number_above_zero(value: Any, after: float | None) -> None:
    assert look(poll_after_seconds=value).poll_after == after


@pytest.mark.parametrize(
    ("fields", "cost"),
    [
        ({"billing": {"settled_user_cost": "0.31"}, "usage": {"cost_usd": 0.24}}, 0.31),
        ({"billing": {"settled_user_cost": "0.00"}, "usage": {"cost_usd": 0.24}}, 0.0),
        ({"billing": {"settled_user_cost": None}, "usage": {"cost_usd": 0.24}}, 0.24),
        ({"billing": "free", "usage": {"cost_usd": "much"}}, None),
        ({}, None),
    ],
)
def test_the_settled_cost_goes_before_the_usage(fields: dict[str, Any], cost: float | None) -> None:
    assert look(**fields).cost_usd == cost


def test_the_raw_payload_is_cut_with_a_mark() -> None:
    seen = vocabulary.from_look({"id": "G-1", "status": "queued"}, "x" * 100_000)
    assert seen.raw == "x" * reading.RAW_LIMIT + reading.CUT


@given(HOSTILE_JOB)
def test_no_value_of_any_type_in_any_field_raises(data: dict[str, Any]) -> None:
    for seen in (
        vocabulary.from_look(data, ""),
        vocabulary.from_create(data, ""),
        vocabulary.from_list(data),
        vocabulary.from_webhook("video.completed", data, ""),
    ):
        json.dumps(asdict(seen))


@given(HOSTILE_JOB)
def test_whatever_was_decoded_can_be_stored(data: dict[str, Any]) -> None:
    seen = vocabulary.from_look(reading.decode(json.dumps(data).encode()), json.dumps(data))
    text = json.dumps(asdict(replace(seen, raw=None)), allow_nan=False, ensure_ascii=False)
    assert "\\u0000" not in text
    text.encode()
