"""The body of a delivery, the gateway's own and hostile ones."""

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.job import Source
from orchestrator.core.lifecycle import Seen
from orchestrator.gateway.webhooks import BadDelivery, Delivery, parse
from tests.unit.gateway.captured import EXAMPLES, VECTORS
from tests.unit.gateway.test_vocabulary import ANY_JSON, HOSTILE_JOB

JOB = "G-01K3ZQ8W6X2M5N7P9R1T3V5Y7Z"
SEEN = {
    "video.created": Seen.OPEN,
    "video.status_changed": Seen.OPEN,
    "video.progress": Seen.OPEN,
    "video.completed": Seen.COMPLETED,
    "video.failed": Seen.FAILED_STORED,
    "video.cancelled": Seen.CANCELLED_STORED,
    "video.expired": Seen.EXPIRED_STORED,
}


def delivery(event_type: Any = "video.completed", data: Any = None, **more: Any) -> Delivery:
    return parse(json.dumps({"type": event_type, "data": {"id": "G-1"} | (data or {}), **more}).encode())


def seen(event_type: str, **data: Any) -> Seen | None:
    found = delivery(event_type, data).observation
    return found.seen if found else None


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["example"]))
def test_every_example_is_understood(example: dict[str, Any]) -> None:
    found = parse(example["raw_body"].encode())
    headers = example["headers"]
    assert found.event_key == headers["x-phaseo-event-id"]
    assert found.type == headers["x-phaseo-event-type"]
    assert found.gateway_id == JOB
    assert found.observation is not None
    assert found.observation.source is Source.WEBHOOK
    assert found.observation.seen is SEEN[found.type]
    assert found.observation.raw == example["raw_body"]
    assert found.observation.outputs is None
    assert found.observation.request_id == JOB


def test_two_attempts_of_one_event_have_one_key() -> None:
    first, second = (parse(each["raw_body"].encode()) for each in EXAMPLES if "attempt" in each["example"])
    assert first.event_key == second.event_key


def test_all_seven_types_are_covered() -> None:
    assert {parse(example["raw_body"].encode()).type for example in EXAMPLES} == SEEN.keys()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_every_signed_body_is_read_or_refused(vector: dict[str, Any]) -> None:
    body = base64.b64decode(vector["body_base64"])
    if "gateway-dispatched" in vector["name"]:
        assert parse(body).observation is not None
    elif "small ascii" in vector["name"]:
        assert parse(body).observation is None  # a batch's
    else:
        with pytest.raises(BadDelivery):
            parse(body)


def test_an_old_delivery_without_an_id_is_known_by_job_and_type() -> None:
    assert delivery("video.failed").event_key == "G-1:video.failed"


def test_the_status_at_send_time_goes_before_the_type() -> None:
    assert seen("video.status_changed", status="completed") is Seen.COMPLETED
    assert seen("video.progress", status="failed") is Seen.FAILED_STORED
    assert seen("video.created", status="expired") is Seen.EXPIRED_STORED


@pytest.mark.parametrize("status", [None, "", "mystery", 7, {}])
def test_the_type_speaks_when_the_status_does_not(status: Any) -> None:
    assert seen("video.cancelled", status=status) is Seen.CANCELLED_STORED
    assert seen("video.progress", status=status) is Seen.OPEN
    assert seen("video.something_new", status=status) is Seen.OPEN


@pytest.mark.parametrize("event_type", ["batch.completed", "music.completed", "", None, 7, ["video.failed"]])
def test_types_that_are_not_ours_are_remembered_and_ignored(event_type: Any) -> None:
    found = delivery(event_type, {"status": "completed"}, id="evt_1")
    assert (found.event_key, found.observation) == ("evt_1", None)


def test_the_session_id_comes_along() -> None:
    assert delivery(data={"session_id": "s-1"}).session_id == "s-1"
    assert delivery(data={"session_id": None}).session_id is None


REFUSED = {
    "empty": b"",
    "not UTF-8": b'{"data":{"id":"G-1\xff"}}',
    "not JSON": b"hello",
    "too deep": b'{"data":' * 100_000,
    "a list": b"[]",
    "no data": b'{"id":"e","type":"video.completed"}',
    "data is text": b'{"data":"G-1"}',
    "no job id": b'{"data":{"status":"completed"}}',
    "a path as job id": b'{"data":{"id":"../../v1/keys"}}',
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_delivery_is_refused(body: bytes) -> None:
    with pytest.raises(BadDelivery):
        parse(body)


def test_numbers_that_are_none_do_no_harm() -> None:
    digits = "9" * 5000
    body = f'{{"id":"e","type":"video.completed","data":{{"id":"G-1","progress":NaN,"x":{digits}}}}}'
    assert parse(body.encode()).event_key == "e"


@given(st.binary(max_size=80) | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(BadDelivery):
        parse(body)


@given(HOSTILE_JOB, HOSTILE_JOB)
def test_any_value_in_any_field_is_read(envelope: dict[str, Any], data: dict[str, Any]) -> None:
    parse(json.dumps(envelope | {"data": data | {"id": "G-1"}}).encode())
