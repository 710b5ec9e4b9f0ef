"""What a status answer says of webhooks about the end is read, whatever stands there."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.job import HookTold
from orchestrator.gateway import vocabulary
from orchestrator.gateway.deliveries import Try, told_of_end, tries
from tests.sandbox.harness import EXAMPLES
from tests.unit.gateway.test_vocabulary import ANY_JSON, look

AT_10_03_20, AT_10_04_20 = 1787220200.0, 1787220260.0
REFUSED = {
    "delivery_key": "video.completed",
    "event_type": "video.completed",
    "status": "scheduled_retry",
    "attempt_number": 1,
    "tried_at": "2026-08-20T10:03:20.000Z",
    "delivered_at": None,
    "next_retry_at": "2026-08-20T10:04:20.000Z",
    "response_status": 503,
    "error_message": "Webhook returned HTTP 503",
}
LATER = {"attempt_number": 2, "tried_at": "2026-08-20T10:05:00.000Z"}
DELIVERED = (
    REFUSED | LATER | {"status": "delivered", "delivered_at": LATER["tried_at"], "next_retry_at": None}
)
LAST = REFUSED | LATER | {"status": "failed_permanently", "next_retry_at": None, "response_status": None}
PROGRESS = DELIVERED | {"event_type": "video.progress", "delivery_key": "video.progress:40"}


def told(*attempts: Any, **more: Any) -> HookTold:
    found = told_of_end({"webhook": {"attempts": list(attempts)} | more})
    assert found is not None
    return found


def test_the_gateway_s_own_example_of_a_refused_delivery_is_understood() -> None:
    (body,) = [one["raw_body"] for one in EXAMPLES if "scheduled_retry" in one["raw_body"]]
    webhook = json.loads(body)["data"]["webhook"]
    assert told_of_end({"webhook": webhook}) == HookTold(
        1, delivered=False, last_status=503, last_error="Webhook returned HTTP 503", next_try_at=AT_10_04_20
    )


def test_without_a_webhook_nothing_is_told_and_with_one_untried_that_it_was_not_tried() -> None:
    assert told_of_end({}) is None
    assert told_of_end({"webhook": None}) is None
    assert told() == HookTold(0, delivered=False)


def test_the_last_attempt_counts_in_whatever_order_they_are_told() -> None:
    for attempts in ((REFUSED, LAST), (LAST, REFUSED)):
        found = told(*attempts)
        assert (found.tries, found.delivered, found.last_status, found.next_try_at) == (2, False, None, None)


def test_what_is_delivered_will_not_be_tried_again() -> None:
    assert told(REFUSED, DELIVERED).delivered
    pushed_out = told(*[PROGRESS] * 10, delivery={"delivered_event_types": ["video.completed"]})
    assert (pushed_out.tries, pushed_out.delivered, pushed_out.next_try_at) == (0, True, None)


def test_deliveries_of_other_events_say_nothing_of_the_end() -> None:
    changed = DELIVERED | {"event_type": "video.status_changed"}
    assert told(PROGRESS, changed, delivery={"delivered_event_types": ["video.progress"]}) == told()
    # Nor does the next try at whatever else is waiting.
    body = {"webhook": {"attempts": [PROGRESS]}, "next_webhook_retry_at": "2026-08-20T10:04:20.000Z"}
    assert told_of_end(body) == told()


def test_looks_and_lists_tell_of_deliveries_and_webhooks_do_not_tell_of_themselves() -> None:
    data = {"id": "G-1", "status": "completed", "webhook": {"attempts": [REFUSED]}}
    assert vocabulary.from_look(data, "").hook == vocabulary.from_list(data).hook == told(REFUSED)
    assert vocabulary.from_webhook("video.completed", data, "").hook is None


@pytest.mark.parametrize(
    ("value", "at"),
    [
        (1787220200, AT_10_03_20),
        (1787220200.5, AT_10_03_20 + 0.5),
        ("1787220200", AT_10_03_20),
        ("2026-08-20T10:03:20.000Z", AT_10_03_20),
        ("2026-08-20T10:03:20.250+00:00", AT_10_03_20 + 0.25),
        ("2026-08-20T12:03:20+02:00", AT_10_03_20),
        ("2026-08-20 10:03:20", AT_10_03_20),
        (1787220200000, None),
        (0, None),
        (-1, None),
        (True, None),
        ("yesterday", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("", None),
        (None, None),
        ([1787220200], None),
        ({}, None),
        (float("inf"), None),
    ],
)
def test_the_end_is_told_in_seconds_or_iso_and_rubbish_is_no_time(value: Any, at: float | None) -> None:
    assert look(completed_at=value).ended_at == at
    data = {"id": "G-1", "status": "completed", "finalized_at": value}
    assert vocabulary.from_webhook("video.completed", data, "").ended_at == at
    assert look(status="processing", completed_at=value).ended_at is None


@given(
    st.dictionaries(st.sampled_from([*REFUSED, "attempts", "delivery", "delivered_event_types"]), ANY_JSON)
)
def test_no_value_of_any_type_raises(hostile: dict[str, Any]) -> None:
    for webhook in (hostile, {"attempts": [hostile, REFUSED | hostile]}, {"delivery": hostile}):
        found = told_of_end({"webhook": webhook})
        assert found is not None
        assert found.last_status is None or 100 <= found.last_status <= 599


def test_every_attempt_that_a_list_tells_of_is_read_the_newest_first() -> None:
    job = {
        "id": "G-01K3ZQ8W6X2M5N7P9R1T3V5Y7Z",
        "webhook": {"endpoint_id": "e", "attempts": [REFUSED, PROGRESS]},
    }
    newest, oldest = tries([job, {"id": "no id!", "webhook": job["webhook"]}, {"id": "G-1"}])
    assert (newest.event, newest.delivered, newest.attempt) == ("video.progress", True, 2)
    assert oldest == Try(
        "G-01K3ZQ8W6X2M5N7P9R1T3V5Y7Z",
        "e",
        "video.completed",
        AT_10_03_20,
        attempt=1,
        delivered=False,
        status=503,
        error="Webhook returned HTTP 503",
        next_try_at=AT_10_04_20,
    )


@given(st.lists(st.dictionaries(st.sampled_from(["id", "webhook"]), ANY_JSON)), ANY_JSON)
def test_whatever_a_list_holds_attempts_are_read_or_left_out(items: list[Any], attempts: Any) -> None:
    for one in tries([*items, {"id": "G-1", "webhook": {"attempts": attempts}}]):
        assert isinstance(one.at, float)
