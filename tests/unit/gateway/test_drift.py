"""What the gateway says beyond its contract is told by its name, and what it always said is not."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.drift import LONGEST_NAME, LONGEST_SAMPLE, DriftKind, Place, Seen
from orchestrator.gateway import drift, webhooks
from orchestrator.gateway.error_answers import explain
from tests.unit.gateway.captured import EXAMPLES, RESPONSES, Captured, captured

RUNNING = captured("get", "google queued->in progress")
LISTED = captured("get", "list")


def told(seen: Iterable[Seen]) -> list[tuple[DriftKind, str]]:
    return [(one.drift.kind, one.drift.name) for one in seen]


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def of_recorded(one: Captured) -> list[Seen] | None:
    """What is new in a recorded answer; None for routes that are not read."""
    headers, data = lower(one.headers), one.json
    if one.status >= 300:
        return list(drift.of_error(explain(one.status, headers, one.body), headers))
    if not isinstance(data, dict) or one.file == "endpoints":
        return None
    if data.get("object") == "list":
        return list(drift.of_list(data, headers))
    if "polling_url" in data:
        return list(drift.of_look(data, headers))
    return list(drift.of_create_answer(one.status, headers, one.body)) if "requestId" in data else None


def test_nothing_that_was_ever_recorded_is_new() -> None:
    found = {one.name: of_recorded(one) for one in RESPONSES}
    assert sum(seen is not None for seen in found.values()) > 100
    assert {name: seen for name, seen in found.items() if seen} == {}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one["example"])
def test_none_of_the_gateways_own_webhooks_is_new(example: dict[str, Any]) -> None:
    assert webhooks.parse(example["raw_body"].encode()).unforeseen == ()
    assert not list(drift.of_webhook_headers(lower(example["headers"])))


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"status": "rendering"}, (DriftKind.STATUS, "rendering")),
        ({"lifecycle_status": "paused"}, (DriftKind.STATUS, "lifecycle_status paused")),
        ({"eta_seconds": 7}, (DriftKind.FIELD, "eta_seconds")),
        ({"billing": {"state": "estimated", "tax": 1}}, (DriftKind.FIELD, "billing.tax")),
        ({"webhook": {"attempts": [{"shard": 3}]}}, (DriftKind.FIELD, "webhook.attempts.shard")),
        ({"outputs": [{"index": 0, "codec": "av1"}]}, (DriftKind.FIELD, "outputs.codec")),
        ({"poll_after_seconds": 60}, (DriftKind.HINT, "poll_after_seconds")),
        ({"poll_after_seconds": "20"}, (DriftKind.HINT, "poll_after_seconds")),
    ],
)
def test_each_thing_that_is_new_in_a_status_answer_is_told(
    change: dict[str, Any], wanted: tuple[DriftKind, str]
) -> None:
    assert told(drift.of_look(RUNNING.json | change, {})) == [wanted]


def test_a_hint_that_is_gone_is_told_with_that() -> None:
    silent = {name: value for name, value in RUNNING.json.items() if name != "poll_after_seconds"}
    (seen,) = drift.of_look(silent, {})
    assert (seen.drift.kind, seen.sample) == (DriftKind.HINT, '"absent"')


def test_headers_that_the_contract_says_are_never_there_are_told_and_a_proxys_are_not() -> None:
    headers = {"retry-after": "9", "x-ratelimit-limit": "60", "cf-ray": "1", "date": "now", "server": "x"}
    assert told(drift.of_look(RUNNING.json, headers)) == [
        (DriftKind.HEADER, "retry-after"),
        (DriftKind.HEADER, "x-ratelimit-limit"),
    ]


def test_items_of_a_list_are_looked_into() -> None:
    item = LISTED.json["data"][0] | {"status": "rendering", "shard": 1}
    found = list(drift.of_list(LISTED.json | {"data": [item], "cursor": "x"}, {}))
    assert {one.drift.place for one in found} == {Place.LIST}
    assert sorted(told(found)) == [
        (DriftKind.FIELD, "cursor"),
        (DriftKind.FIELD, "shard"),
        (DriftKind.STATUS, "rendering"),
    ]


def test_a_webhook_of_an_unknown_type_with_a_new_field_is_told() -> None:
    payload = json.loads(EXAMPLES[0]["raw_body"])
    payload |= {"type": "video.paused", "region": "eu"}
    payload["data"]["codec"] = "av1"
    assert told(webhooks.parse(json.dumps(payload).encode()).unforeseen) == [
        (DriftKind.WEBHOOK_TYPE, "video.paused"),
        (DriftKind.FIELD, "region"),
        (DriftKind.FIELD, "data.codec"),
    ]


def test_a_batchs_webhook_is_none_of_ours_and_nothing_new() -> None:
    body = {"type": "batch.completed", "data": {"id": "batch_1", "request_counts": {}}}
    assert webhooks.parse(json.dumps(body).encode()).unforeseen == ()


def test_headers_of_a_webhook_that_are_missing_new_or_changed_are_told() -> None:
    headers = lower(EXAMPLES[0]["headers"])
    del headers["x-phaseo-attempt"]
    headers |= {"x-phaseo-region": "eu", "user-agent": "Phaseo-Async-Webhook/2.0"}
    found = list(drift.of_webhook_headers(headers))
    assert [(one.drift.name, one.sample) for one in found] == [
        ("user-agent", "Phaseo-Async-Webhook/2.0"),
        ("x-phaseo-attempt", "missing"),
        ("x-phaseo-region", "eu"),
    ]
    older = {"x-ai-stats-timestamp": "1", "x-ai-stats-signature": "2"}
    assert not list(drift.of_webhook_headers(older)), "the contract has both families"


def test_an_error_with_an_unknown_word_is_told_and_one_without_a_word_is_not() -> None:
    answer = explain(429, {}, b'{"error": "too_hot"}')
    (seen,) = drift.of_error(answer, {})
    assert (seen.drift.kind, seen.drift.name, seen.sample) == (DriftKind.ERROR_CODE, "too_hot", "HTTP 429")
    assert not list(drift.of_error(explain(502, {"content-type": "text/html"}, b"<h1>Bad</h1>"), {}))


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=120), inside, max_size=4),
    max_leaves=12,
)
_NAMES = st.sampled_from(["webhook", "attempts", "delivery", "billing", "outputs", "data", "status", "usage"])


@given(st.dictionaries(_NAMES | st.text(max_size=5), _ANYTHING, max_size=6), st.text(max_size=20))
def test_nothing_that_the_gateway_could_say_breaks_it_and_all_it_tells_is_bounded(
    data: dict[str, Any], event_type: str
) -> None:
    headers = {"retry-after": "x" * 999, "x-phaseo-attempt": "1"}
    found = [
        *drift.of_look(data, headers),
        *drift.of_list(data, headers),
        *drift.of_snapshot(data),
        *drift.of_delivery(data, event_type),
        *drift.of_webhook_headers(headers),
        *drift.of_create_answer(200, headers, json.dumps(data).encode()),
        *drift.of_create_answer(503, headers, json.dumps(data).encode()),
    ]
    assert all(len(one.drift.name) <= LONGEST_NAME for one in found)
    assert all(len(one.sample or "") <= LONGEST_SAMPLE for one in found)


def test_an_answer_with_thousands_of_new_fields_tells_a_few() -> None:
    wide = RUNNING.json | {f"field_{number}": 1 for number in range(5_000)}
    assert len(told(drift.of_look(wide, {}))) == 16
