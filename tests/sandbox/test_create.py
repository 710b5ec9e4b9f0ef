"""Rows 1 to 5 and 23: what create answers, and what may be behind an answer."""

import json
from typing import Any

import httpx
import pytest

from tests.sandbox.harness import KEY, Sandbox, captured, shape, until

A_SHAPE = {"generation_id", "status_code", "error", "error_type", "error_origin", "description"}


def test_create_answers_queued_without_any_polling_hint(sandbox: Sandbox) -> None:
    answer = sandbox.post()
    body = answer.json()
    assert answer.status_code == 200
    assert body["id"] == body["requestId"]
    assert body["id"].startswith("G-")
    assert len(body["id"]) == 28
    assert body["status"] == "queued"
    assert shape(body) == shape(captured("create ok (google)"))
    assert body["model"] == "veo-3.1-lite-generate-preview"
    assert answer.headers["cache-control"] == "no-store"


def test_an_openai_create_reports_what_the_provider_reported(sandbox: Sandbox) -> None:
    body = sandbox.post({"model": "openai/sora-2"}).json()
    assert shape(body) == shape(captured("create ok (openai-like in_progress)"))
    assert isinstance(body["created_at"], int)
    assert body["seconds"] == "8"


@pytest.mark.parametrize(
    ("label", "body"),
    [
        ("missing prompt", {"model": "m"}),
        ("unknown field", {"prompt": "p", "duration_seconds": 8}),
        ("inline webhook", {"prompt": "p", "webhook": {"url": "https://x", "secret": "s"}}),
        ("webhook endpoint_id + url", {"prompt": "p", "webhook": {"endpoint_id": "e", "url": "https://x"}}),
        ("provider_params controlled", {"prompt": "p", "provider_params": {"callback_url": "https://x"}}),
    ],
)
def test_a_body_that_breaks_the_schema_is_refused_in_the_gateways_words(
    sandbox: Sandbox, label: str, body: dict[str, Any]
) -> None:
    answer = sandbox.api.post("/videos", json=body)
    assert answer.status_code == 400
    assert answer.json() | {"generation_id": ""} == captured(label) | {"generation_id": ""}
    assert answer.headers["x-gateway-error-attribution"] == "user"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"prompt": 7}, "Invalid input: expected string, received number at prompt"),
        ({"prompt": "p", "duration": 121}, "Too big: expected number to be <=120 at duration"),
        ({"prompt": "p", "duration": 0}, "Too small: expected number to be >=1 at duration"),
        ({"prompt": "p", "sample_count": 5}, "Too big: expected number to be <=4 at sample_count"),
        ({"prompt": "p", "seconds": "5"}, "Invalid option: expected one of"),
        ({"prompt": "p", "session_id": "s"}, 'Unrecognized key: "session_id"'),
        ({"prompt": "p", "size": "1x1", "resolution": "720p"}, "size cannot be combined"),
        ({"prompt": "p" * 32_001}, "Too big: expected string to have <=32000 characters at prompt"),
        ({"prompt": "p", "output": {"access": "all"}}, 'Invalid option: expected one of "bytes"'),
        ([], "Invalid input: expected object, received array"),
    ],
)
def test_limits_of_the_schema_hold(sandbox: Sandbox, body: Any, text: str) -> None:
    answer = sandbox.api.post("/videos", json=body)
    assert answer.status_code == 400
    assert answer.json()["description"].startswith(text)


def test_a_body_that_is_no_json_or_too_large_is_refused(sandbox: Sandbox) -> None:
    bad = sandbox.api.post("/videos", content=b"{", headers={"content-type": "application/json"})
    assert (bad.status_code, bad.json()["error"]) == (400, "invalid_json")
    large = sandbox.api.post("/videos", content=b" " * (16 * 1024 * 1024 + 1))
    assert (large.status_code, large.json()["error"]) == (413, "payload_too_large")


def test_an_urlencoded_body_is_accepted(sandbox: Sandbox) -> None:
    assert sandbox.api.post("/videos", data={"prompt": "p"}).status_code == 200


def test_an_idempotency_key_is_ignored(sandbox: Sandbox) -> None:
    body, headers = {"prompt": "p"}, {"Idempotency-Key": "same"}
    ids = {sandbox.api.post("/videos", json=body, headers=headers).json()["id"] for _ in range(2)}
    assert len(ids) == len(sandbox.truth()) == 2


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({}, "missing_or_invalid_authorization_header"),
        ({"Authorization": f"bearer {KEY}"}, "missing_or_invalid_authorization_header"),
        ({"Authorization": "Bearer nonsense"}, "invalid_key_format"),
        ({"Authorization": "Bearer phaseo_v1_sk_somebody_else"}, "key_not_found_or_revoked"),
        ({"Authorization": "Bearer phaseo_v1_sk_sandbox_wrong"}, "invalid_secret"),
        ({"Authorization": "Bearer phaseo_v1_mk_sandbox_localonly"}, "management_key_not_valid_for_gateway"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_bad_key_is_a_401_in_shape_b_even_on_create(
    sandbox: Sandbox, method: str, header: dict[str, str], reason: str
) -> None:
    answer = sandbox.anonymous.request(method, "/videos", headers=header)
    assert answer.status_code == 401
    assert shape(answer.json()) == shape(captured("no auth", "get"))
    assert answer.json()["reason"] == reason


CAPTURED_ERRORS = {
    "key_limit": (429, "key limit"),
    "insufficient_funds": (402, "insufficient funds (pre)"),
    "key_invalid": (401, "context key invalid"),
    "unsupported_model": (400, "unsupported model"),
    "gateway_error": (500, "gateway error"),
    "upstream_429": (502, "upstream 429"),
    "upstream_400": (502, "upstream 400"),
    "provider_payment_required": (502, "hold insufficient funds (executor 402)"),
    "reservation_unavailable": (502, "reservation unavailable (executor 503)"),
    "persistence_failed": (502, "persistence failed"),
    "persistence_failed_two": (502, "persistence failed with two providers"),
    "executor_throws": (502, "executor throws"),
    "feature_gate": (501, "feature gate off create"),
    "api_disabled": (501, "video api disabled"),
}


@pytest.mark.parametrize("name", CAPTURED_ERRORS)
def test_each_create_error_has_the_captured_shape_and_no_header_that_helps(
    sandbox: Sandbox, name: str
) -> None:
    status, label = CAPTURED_ERRORS[name]
    answer = sandbox.post(create_error=name)
    real = captured(label)
    assert answer.status_code == status
    assert shape(answer.json()) == shape(real)
    assert {key: answer.json()[key] for key in ("error", "error_type", "error_origin")} == {
        key: real[key] for key in ("error", "error_type", "error_origin")
    }
    helpful = {
        "retry-after",
        "x-request-id",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    }
    assert not helpful & set(answer.headers)


def test_failed_statuses_on_create_tell_the_providers_own_status(sandbox: Sandbox) -> None:
    assert sandbox.post(create_error="upstream_429").json()["failed_statuses"] == [429]
    mixed = sandbox.post(create_error="upstream", create_failed_statuses=[429, 503]).json()
    assert mixed["failed_statuses"] == [429, 503]
    assert mixed["attempt_count"] == len(mixed["failure_sample"]) == 2
    assert set(mixed) >= A_SHAPE


def test_db_error_is_a_server_fault_dressed_as_401(sandbox: Sandbox) -> None:
    assert sandbox.post(create_error="db_error").json()["reason"] == "db_error"
    sandbox.faults(db_error_next=2)
    assert [sandbox.api.get("/videos").status_code for _ in range(3)] == [401, 401, 200]


def test_the_feature_gate_closes_create_list_and_models_only(sandbox: Sandbox) -> None:
    job = sandbox.create()
    sandbox.faults(gate_closed=True)
    assert sandbox.post().status_code == 501
    assert sandbox.api.get("/videos").json() == captured("feature gate off list")
    assert sandbox.api.get("/videos/models").status_code == 501
    assert sandbox.api.get(f"/videos/{job}").status_code == 200


def test_an_error_for_the_first_requests_heals_by_body_or_over_all(sandbox: Sandbox) -> None:
    own: dict[str, Any] = {"create_error": "feature_gate", "create_error_times": 2}
    # A client that tries again has a new session id for each attempt.
    assert [sandbox.post(session=f"s.{n}", **own).status_code for n in range(3)] == [501, 501, 200]
    assert sandbox.post(**own | {"create_error": "key_limit"}).status_code == 429
    sandbox.faults(create_error="text_500", create_error_times=1)
    assert [sandbox.post(session=str(n)).status_code for n in range(3)] == [500, 200, 200]


def test_a_bare_500_is_plain_text_before_or_after_the_job_exists(sandbox: Sandbox) -> None:
    for name, jobs in (("text_500", 0), ("text_500_after", 1)):
        answer = sandbox.post(session=name, create_error=name)
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")
        assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
        assert len(sandbox.truth(session_id=name)) == jobs


def test_a_502_can_leave_a_job_behind_whose_id_it_tells(sandbox: Sandbox) -> None:
    body = sandbox.post(session="s", create_error="upstream_503", create_leaves_job=True).json()
    assert [row["id"] for row in sandbox.truth(session_id="s")] == [body["generation_id"]]


def test_a_job_that_was_not_persisted_is_nowhere(sandbox: Sandbox) -> None:
    kept = sandbox.post(create_error="persistence_failed").json()["generation_id"]
    lost = sandbox.post(create_error="persistence_failed", persist=False).json()["generation_id"]
    assert [row["id"] for row in sandbox.api.get("/videos").json()["data"]] == [kept]
    assert sandbox.api.get(f"/videos/{lost}").status_code == 404


@pytest.mark.parametrize(("name", "jobs"), [("cut", 0), ("cut_after", 1)])
def test_a_cut_create_has_no_answer_and_perhaps_a_job(sandbox: Sandbox, name: str, jobs: int) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        sandbox.post(session="s", create_error=name)
    assert len(sandbox.truth(session_id="s")) == jobs
    assert sandbox.control.get("/requests", params={"session_id": "s"}).json()["requests"][0]["status"] == 0


def test_a_late_create_answer_means_that_the_job_exists_before_it(sandbox: Sandbox) -> None:
    with pytest.raises(httpx.ReadTimeout):
        sandbox.api.post(
            "/videos",
            json={"prompt": "p", "provider_params": {"sandbox": {"create_delay": 30}}},
            headers={"x-session-id": "s"},
            timeout=0.3,
        )
    assert len(until(lambda: sandbox.truth(session_id="s"))) == 1


def test_create_can_say_failed_at_once(sandbox: Sandbox) -> None:
    answer = sandbox.post(create_status="failed")
    assert answer.json()["status"] == "failed"
    assert until(lambda: sandbox.truth(id=answer.json()["id"], stored="failed"))


def test_a_webhook_endpoint_must_exist_and_be_a_uuid(sandbox: Sandbox) -> None:
    unknown = {"endpoint_id": "00000000-0000-4000-8000-000000000000"}
    assert (
        sandbox.post({"webhook": unknown}).json()["description"]
        == (captured("webhook unknown endpoint")["description"])
    )
    not_uuid = sandbox.post({"webhook": {"endpoint_id": "we_123"}})
    assert (not_uuid.status_code, not_uuid.text) == (500, "Internal Server Error")


def test_a_refused_webhook_endpoint_does_not_refuse_the_order_without_it(sandbox: Sandbox) -> None:
    webhook = {"endpoint_id": sandbox.endpoint("http://127.0.0.1:9/")["id"]}
    refused = sandbox.post({"webhook": webhook}, create_error="webhook_refused")
    assert (refused.status_code, shape(refused.json())) == (400, shape(captured("webhook unknown endpoint")))
    assert sandbox.post(create_error="webhook_refused").status_code == 200


def test_webhook_events_of_which_none_is_known_are_refused(sandbox: Sandbox) -> None:
    endpoint = sandbox.endpoint("http://127.0.0.1:9/")["id"]
    answer = sandbox.post({"webhook": {"endpoint_id": endpoint, "events": ["nonsense"]}})
    real = captured("webhook bad events")
    assert answer.json()["description"] == real["description"]
    assert json.dumps(answer.json()["details"]) == json.dumps(real["details"])
