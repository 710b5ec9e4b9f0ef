"""What no client sends by accident: refused cleanly, and never kept."""

import json

import pytest

from orchestrator.web.api.app import without_door
from orchestrator.web.api.openapi import document
from tests.integration.api.served import REQUEST, Holder, Served

JSON = "application/json"
DEEP = b"[" * 5_000 + b"]" * 5_000


def put(request: bytes) -> bytes:
    """A body whose request has this field."""
    return b'{"request":{"model":"m","x":' + request + b"}}"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"", JSON, 422, "invalid_request"),
        (b"{", JSON, 400, "invalid_json"),
        (b"null", JSON, 422, "invalid_request"),
        (b"[]", JSON, 422, "invalid_request"),
        (b'"jobs"', JSON, 422, "invalid_request"),
        (b'{"request":{"model":"m"},"request":{"model":"n"}}', JSON, 400, "invalid_json"),
        (b'{"request":{"model":"m","model":"n"}}', JSON, 400, "invalid_json"),
        (put(b"NaN"), JSON, 400, "invalid_json"),
        (put(b"1e999"), JSON, 400, "invalid_json"),
        (put(b"1" * 5_000), JSON, 400, "invalid_json"),
        (put(b"1" * 30), JSON, 400, "invalid_json"),
        (put(DEEP), JSON, 400, "invalid_json"),
        (put(b'"\\ud800"'), JSON, 400, "invalid_json"),
        (put(b'"\\u0000"'), JSON, 400, "invalid_json"),
        (put(b'"\xff"'), JSON, 400, "invalid_json"),
        (b'{"request":{"model":"m"},"reference":"\\u0000"}', JSON, 400, "invalid_json"),
        (b'{"request":{"model":"m"},"\\ud800":1}', JSON, 400, "invalid_json"),
        (b'{"request":{"model":"m"}}', "text/plain", 415, "unsupported_media_type"),
        (b'{"request":{"model":"m"}}', "", 415, "unsupported_media_type"),
        (b'{"request":{"model":"m"}}', "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b'{"request":{"model":"m"}}', "application/json; charset=utf-16", 415, "unsupported_media_type"),
        ('{"request":{"model":"m"}}'.encode("utf-16"), JSON, 400, "invalid_json"),
        (b'\xef\xbb\xbf{"request":{"model":"m"}}', JSON, 400, "invalid_json"),
    ],
)
def test_a_body_that_is_no_plain_json_is_refused(
    us: Holder, body: bytes, content_type: str, status: int, code: str
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = us.ask("POST", "/jobs", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert us.jobs() == 0


def test_a_body_that_nobody_asked_for_is_looked_at_too_and_the_document_says_so(us: Holder) -> None:
    path = "/jobs/{job_id}/cancel"
    told = document(without_door())["paths"][f"/v1{path}"]["post"]["responses"]
    for status, content, kind in ((415, b"x", "text/plain"), (400, b"{", "application/json")):
        named = path.format(job_id=us.kept().id)
        answer = us.ask("POST", named, content=content, headers={"Content-Type": kind})
        assert answer.status_code == status
        assert str(status) in told


@pytest.mark.parametrize("body", [b"{", DEEP, b'{"a":1,"a":1}', b'"\xff"'])
def test_nothing_is_read_out_of_what_a_stranger_sends(api: Served, body: bytes) -> None:
    for key in (None, "hjo_" + "a" * 16 + "_" + "A" * 43):
        answer = api.ask("/jobs", key, method="POST", content=body, headers={"Content-Type": JSON})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_utf_8_may_be_said(us: Holder) -> None:
    for named in ("application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'):
        body = json.dumps({"request": REQUEST}).encode()
        assert us.ask("POST", "/jobs", content=body, headers={"Content-Type": named}).status_code == 201


def test_what_is_kept_comes_out_as_it_went_in(us: Holder) -> None:
    odd = {"ключ": "значение", "emoji": "🦊", "line": "a\r\n\u2028b", "long": 2**53 + 1, "tiny": 5e-324}
    made = us.submit(request=REQUEST | {"provider_params": odd}, metadata=odd)
    found = us.get(f"/jobs/{made['id']}").json()
    assert (found["request"]["provider_params"], found["metadata"]) == (odd, odd)


def test_an_unknown_path_and_method_are_problems_too(us: Holder) -> None:
    unknown, wrong = us.get("/nothing"), us.ask("PUT", "/jobs")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "no_such_path")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"]


def test_a_database_that_cannot_be_used_is_a_clean_answer(us: Holder, api: Served) -> None:
    """And says nothing of it but that: its words are for the log."""
    us.get("/whoami")
    with api.store.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE outputs RENAME TO hidden")
        connection.commit()
    job = us.kept()
    try:
        answer = us.get(f"/jobs/{job.id}")
    finally:
        with api.store.engine.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE hidden RENAME TO outputs")
            connection.commit()
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert answer.headers["retry-after"] == "5"
    assert "outputs" not in answer.text
