"""Each answer to a create is in one of five classes; what is not surely known may have cost money."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.blame import Fault
from orchestrator.core.job import Source
from orchestrator.core.lifecycle import Seen
from orchestrator.gateway.create_answer import (
    CREATED,
    NO_JOB,
    REFUSED,
    SEEN,
    UNCERTAIN,
    UNSENT,
    CreateAnswer,
    CreateClass,
    classify,
    no_answer,
)
from tests.unit.gateway.captured import RESPONSES, Captured, captured
from tests.unit.gateway.test_vocabulary import ANY_JSON

CLASSES = {
    "create ok (google)": CREATED,
    "create ok again with same Idempotency-Key #1": CREATED,
    "create ok again with same Idempotency-Key #2": CREATED,
    "create ok (openai-like in_progress)": CREATED,
    "create with cancelled ir": CREATED,
    "no auth": REFUSED,
    "invalid json": REFUSED,
    "missing prompt": REFUSED,
    "unknown field": REFUSED,
    "inline webhook": REFUSED,
    "webhook endpoint_id + url": REFUSED,
    "webhook unknown endpoint": REFUSED,
    "webhook endpoint not a uuid (DB error simulated)": UNCERTAIN,
    "webhook bad events": REFUSED,
    "too large": REFUSED,
    "provider_params controlled": REFUSED,
    "key limit": NO_JOB,
    "insufficient funds (pre)": NO_JOB,
    "context key invalid": REFUSED,
    "unsupported model": REFUSED,
    "gateway error": NO_JOB,
    "upstream 429": NO_JOB,
    "upstream 400": REFUSED,
    "hold insufficient funds (executor 402)": NO_JOB,
    "reservation unavailable (executor 503)": NO_JOB,
    "persistence failed": UNCERTAIN,
    "persistence failed with two providers": UNCERTAIN,
    "executor throws": UNCERTAIN,
}
ELSEWHERE = {"video api disabled": NO_JOB, "feature gate off create": NO_JOB}  # captured beside the looks
NAME_THE_WEBHOOK = {
    "inline webhook",
    "webhook endpoint_id + url",
    "webhook unknown endpoint",
    "webhook bad events",
}
CREATES = [entry for entry in RESPONSES if entry.file == "create"]


def answer_to(status: int, body: Any = None, content_type: str = "application/json") -> CreateAnswer:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return classify(status, {"content-type": content_type}, sent)


def kind(status: int, body: Any = None) -> CreateClass:
    return answer_to(status, body).kind


def providers(*failures: tuple[int | None, str | None], **changed: Any) -> dict[str, Any]:
    statuses = list(dict.fromkeys(status for status, _ in failures if status is not None))
    body = {
        "error": "upstream_error",
        "reason": "all_candidates_failed",
        "attempt_count": len(failures),
        "failed_statuses": statuses,
        "failure_sample": [{"status": status, "upstream_error_code": code} for status, code in failures],
    }
    return {**body, **changed}


def test_every_captured_create_is_classified_here() -> None:
    assert [entry.label for entry in CREATES] == list(CLASSES)


@pytest.mark.parametrize("entry", CREATES, ids=lambda entry: entry.name)
def test_captured_creates(entry: Captured) -> None:
    answer = classify(entry.status, entry.headers, entry.body)
    assert answer.kind is CLASSES[entry.label]
    assert answer.webhook_refused == (entry.label in NAME_THE_WEBHOOK)
    assert answer.observation.source is Source.CREATE
    assert (answer.observation.gateway_id is not None) == (answer.kind is CREATED)
    if answer.kind is not CREATED:
        assert answer.observation.seen is SEEN[answer.kind]
        assert answer.observation.failure is not None
        assert (answer.observation.blame is Fault.REQUEST) == (answer.kind is REFUSED)
    if not entry.threw:
        assert answer.observation.request_id == entry.json.get("generation_id", entry.json.get("id"))


@pytest.mark.parametrize("label", ELSEWHERE)
def test_the_gate_is_no_refusal(label: str) -> None:
    entry = captured("get", label)
    assert kind(entry.status, entry.json) is ELSEWHERE[label]


@pytest.mark.parametrize(
    ("status", "seen"),
    [
        ("queued", Seen.OPEN),
        ("pending", Seen.OPEN),
        (None, Seen.OPEN),
        ("completed", Seen.COMPLETED),
        ("failed", Seen.FAILED_LIVE),
        ("cancelled", Seen.CANCELLED_LIVE),
    ],
)
def test_a_created_job_is_seen_live(status: str | None, seen: Seen) -> None:
    answer = answer_to(202, {"id": "G-1", "status": status})
    assert (answer.kind, answer.observation.seen, answer.observation.gateway_id) == (CREATED, seen, "G-1")


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"<html>", b'{"status":"queued"}', b'{"id":"../x"}', b'{"id":7}', b'{"id":"G-1"'],
)
def test_a_success_without_a_usable_id_is_uncertain(body: bytes) -> None:
    assert kind(200, body) is UNCERTAIN


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, NO_JOB),
        (302, UNCERTAIN),
        (303, UNCERTAIN),
        (304, UNCERTAIN),
        (307, NO_JOB),
        (308, NO_JOB),
        (400, REFUSED),
        (403, REFUSED),
        (404, REFUSED),
        (408, NO_JOB),
        (418, REFUSED),
        (425, NO_JOB),
        (429, NO_JOB),
        (500, UNCERTAIN),
        (501, UNCERTAIN),
        (502, UNCERTAIN),
        (503, UNCERTAIN),
        (504, UNCERTAIN),
        (524, UNCERTAIN),
        (101, UNCERTAIN),
        (999, UNCERTAIN),
    ],
)
def test_a_bare_status_falls_to_its_family(status: int, expected: CreateClass) -> None:
    assert kind(status, b"") is expected


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, {"error": "unauthorised", "reason": "db_error"}, NO_JOB),
        (401, {"error": "unauthorised", "description": "server_misconfig_missing_pepper"}, NO_JOB),
        (401, {"error": "unauthorised", "reason": "invalid_secret"}, REFUSED),
        (402, {"error": "pricing_not_configured"}, REFUSED),
        (500, {"error": "pipeline_execution_error"}, UNCERTAIN),
        (500, {"error": "gateway_error", "description": "something else"}, UNCERTAIN),
        (501, {"error": "not_implemented"}, NO_JOB),
        (502, {"error": {"type": "async_job_persistence_failed"}}, UNCERTAIN),
    ],
)
def test_a_word_may_say_more_than_its_status(status: int, body: Any, expected: CreateClass) -> None:
    assert kind(status, body) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (providers((400, None), (422, None), (404, "NOT_FOUND")), REFUSED),
        (providers((400, None), (429, None)), NO_JOB),
        (providers((401, None)), NO_JOB),
        (providers((429, None), (429, None)), NO_JOB),
        (providers((503, "reservation_unavailable"), (400, None)), NO_JOB),
        (providers((503, None)), UNCERTAIN),
        (providers((400, None), (500, None)), UNCERTAIN),
        (providers((400, None), (None, None)), UNCERTAIN),
        (providers((None, "reservation_unavailable")), UNCERTAIN),
        (providers((400, "async_job_persistence_failed")), UNCERTAIN),
        (providers((429, "async_job_persistence_unknown"), (400, None)), UNCERTAIN),
        (providers((400, None), attempt_count=2), UNCERTAIN),
        (providers((400, None), attempt_count=None), UNCERTAIN),
        (providers((400, None), failed_statuses=[]), UNCERTAIN),
        (providers((400, None), failed_statuses=[400, 500]), UNCERTAIN),
        (providers((400, None), failed_statuses=None), UNCERTAIN),
        (providers((400, None), failed_statuses=["400"]), UNCERTAIN),
        (providers((400, None), failure_sample=[]), UNCERTAIN),
        (providers((400, None), failure_sample=["400"]), UNCERTAIN),
        (providers(), UNCERTAIN),
    ],
)
def test_a_502_is_certain_only_when_every_provider_is_accounted_for(body: Any, expected: CreateClass) -> None:
    assert kind(502, body) is expected


def test_the_wait_asked_for_comes_along() -> None:
    answer = classify(429, {"retry-after": "7"}, b"{}")
    assert answer.retry_after == answer.observation.retry_after == 7.0


def test_a_redirect_hints_at_the_url() -> None:
    assert "URL" in (answer_to(301, b"").observation.note or "")


def test_a_call_without_an_answer_has_a_class_too() -> None:
    assert no_answer(UNSENT, "no route").observation.seen is Seen.NO_JOB
    assert no_answer(UNCERTAIN, "cut").observation.seen is Seen.LOST


@given(st.integers(0, 999), st.text(), st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_the_table_is_total(status: int, content_type: str, body: bytes) -> None:
    assert classify(status, {"content-type": content_type}, body).kind in CreateClass


@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(["attempt_count", "failed_statuses", "failure_sample"], ANY_JSON)
    )
)
def test_a_hostile_502_is_uncertain_and_nothing_worse(body: dict[str, Any]) -> None:
    assert kind(502, body) is UNCERTAIN
