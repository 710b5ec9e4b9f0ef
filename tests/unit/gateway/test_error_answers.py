"""Every error of the gateway, in every shape, is read by one function."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gateway.error_answers import explain, retry_after
from tests.unit.gateway.captured import RESPONSES, Captured, captured
from tests.unit.gateway.test_vocabulary import ANY_JSON


def test_all_captured_answers_are_here() -> None:
    assert len(RESPONSES) == 120


@pytest.mark.parametrize("entry", RESPONSES, ids=lambda entry: entry.name)
def test_every_captured_answer_parses(entry: Captured) -> None:
    answer = explain(entry.status, entry.headers, entry.body)
    error = answer.as_error()
    assert answer.status == error.status == entry.status
    assert str(entry.status) in error.message
    if entry.status >= 400:
        assert answer.message or answer.reason
        assert bool(answer.code) == isinstance(entry.json, dict)
        assert error.retry.again
    if isinstance(entry.json, dict) and "generation_id" in entry.json and entry.status >= 400:
        assert error.request_id == entry.json["generation_id"]
        assert f"[request {error.request_id}]" in error.message
    if isinstance(entry.json, dict) and "reason" in entry.json:
        assert error.reason == entry.json["reason"]
    assert error.whole_gateway == (entry.status == 500 and not isinstance(entry.json, dict))


def test_a_control_route_nests_its_reason() -> None:
    entry = captured("endpoints", "create http")
    answer = explain(entry.status, entry.headers, entry.body)
    assert (answer.code, answer.reason) == ("validation_error", "webhook_url_must_use_https")
    assert answer.message == "Invalid webhook endpoint URL."


def test_a_provider_error_keeps_the_providers_words() -> None:
    entry = captured("get", "google poll 429 upstream")
    answer = explain(entry.status, entry.headers, entry.body)
    assert answer.message == "Resource exhausted"
    assert answer.failure.detail == entry.json


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "30"}, 30.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "Thu, 20 Aug 2026 10:01:30 GMT", "date": "Thu, 20 Aug 2026 10:00:00 GMT"}, 90.0),
        ({"retry-after": "Thu, 20 Aug 2026 09:00:00 GMT", "date": "Thu, 20 Aug 2026 10:00:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 20 Aug 2026 10:01:30 GMT"}, None),
        ({"retry-after": "Thu, 20 Aug 2026 10:01:30", "date": "Thu, 20 Aug 2026 10:00:00 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "9" * 400}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_against_the_answers_own(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers) == seconds
    assert explain(429, headers, b"{}").as_error().retry.after == (seconds or 0.0)


def test_a_page_of_some_proxy_is_shown_in_part() -> None:
    answer = explain(502, {"content-type": "text/html"}, b"<html>" + b"x" * 5000)
    assert answer.sentence.startswith("HTTP 502: <html>xxx")
    assert len(answer.sentence) < 300
    assert not answer.as_error().whole_gateway


@given(
    st.integers(100, 599), st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text()), st.binary()
)
def test_any_bytes_are_explained(status: int, headers: dict[str, str], body: bytes) -> None:
    assert explain(status, headers, body).sentence


@given(
    st.dictionaries(
        st.sampled_from(["error", "reason", "description", "message", "upstream_error"]), ANY_JSON
    )
)
def test_any_value_in_any_field_is_explained(body: dict[str, object]) -> None:
    answer = explain(400, {}, json.dumps(body).encode())
    assert answer.as_error().message
    assert answer.failure.message
