"""Requests, answers and errors."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator import errors
from orchestrator.client import (
    ApiBadAnswer,
    ApiError,
    ApiUnreachable,
    Client,
    Forbidden,
    InvalidRequest,
    NotAllowed,
    NotFound,
    RateLimited,
    Surroundings,
    Unauthorized,
    Unavailable,
)
from orchestrator.core.access import Scope
from orchestrator.core.lifecycle import State
from orchestrator.errors import OrchestratorError, RequestError, SettingError
from orchestrator.wire.jobs import NewJob, NewRoute
from tests.integration.client.conftest import KEY, Pauses
from tests.integration.client.server import Answer, ScriptedServer, as_json, problem
from tests.integration.client.shapes import AT, job
from tests.ports import free_port

REQUEST = {"model": "m", "prompt": "waves"}


def test_a_job_is_submitted_with_all_that_is_said_of_it(client: Client, server: ScriptedServer) -> None:
    server.script = [as_json(job(7, reference="order-7"), 201)]
    made = client.submit(
        REQUEST,
        reference="order-7",
        destinations=["hook", NewRoute(to="b", deliver="link")],
        metadata={"a": 1},
    )
    assert (made.id, made.reference, made.state) == ("job_7", "order-7", State.WAITING)
    asked = server.asked[0]
    assert (asked.method, asked.path) == ("POST", "/v1/jobs")
    assert asked.json == {
        "request": REQUEST,
        "reference": "order-7",
        "destinations": ["hook", {"to": "b", "deliver": "link"}],
        "metadata": {"a": 1},
    }
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["idempotency-key"] == '"made-1"'
    assert asked.headers["user-agent"].startswith("orchestrator-client/")


def test_more_can_be_said_of_a_whole_job(client: Client, server: ScriptedServer) -> None:
    server.script = [as_json(job(), 201)]
    client.submit(NewJob(request=REQUEST, reference="r"), end_user="u-3", idempotency_key='a-"key"')
    assert server.asked[0].json == {"request": REQUEST, "reference": "r", "end_user": "u-3"}
    assert server.asked[0].headers["idempotency-key"] == '"a-\\"key\\""'


def test_many_go_a_thousand_at_a_time_each_with_a_key_of_its_own(
    client: Client, server: ScriptedServer
) -> None:
    server.script = [lambda asked: as_json({"jobs": [job(n) for n, _ in enumerate(asked.json["jobs"])]}, 201)]
    made = list(client.submit_many((NewJob(request=REQUEST) for _ in range(1_001)), idempotency_key="k"))
    assert len(made) == 1_001
    assert [len(asked.json["jobs"]) for asked in server.asked] == [1_000, 1]
    assert [asked.headers["idempotency-key"] for asked in server.asked] == ['"k.0"', '"k.1"']


@pytest.mark.parametrize(
    "passing", [problem(503, "store_unavailable"), problem(429, "rate_limited"), Answer(b"<html>", 502)]
)
def test_a_submit_is_sent_again_with_the_same_key_until_it_is_taken(
    client: Client, server: ScriptedServer, pauses: Pauses, passing: Answer
) -> None:
    server.script = [passing, passing, as_json(job(), 201)]
    assert client.submit(REQUEST).id == "job_1"
    assert [asked.headers["idempotency-key"] for asked in server.asked] == ['"made-1"'] * 3
    assert pauses.taken == [0.25, 0.5]


def test_a_submit_whose_answer_is_cut_off_is_sent_again(client: Client, server: ScriptedServer) -> None:
    server.script = [Answer(b'{"id": "job', 201, cut=100), as_json(job(), 201)]
    assert client.submit(REQUEST).id == "job_1"
    assert len(server.asked) == 2


def test_who_is_told_when_to_come_back_waits_that_long(
    client: Client, server: ScriptedServer, pauses: Pauses
) -> None:
    server.script = [problem(429, "rate_limited", headers={"retry_after": "7"}), as_json(job())]
    client.job("job_1")
    assert pauses.taken == [7.0]


@pytest.mark.parametrize("after", ["3600", "61"])
def test_who_would_have_to_wait_for_long_is_told_so(
    client: Client, server: ScriptedServer, pauses: Pauses, after: str
) -> None:
    server.script = [problem(429, "rate_limited", headers={"retry_after": after})]
    with pytest.raises(RateLimited) as refused:
        client.job("job_1")
    assert refused.value.retry.after == float(after)
    assert not pauses.taken


@pytest.mark.parametrize("after", ["soon", "Wed, 21 Oct 2015 07:28:00 GMT", "nan", "-5", "inf"])
def test_a_time_that_makes_no_sense_is_none(
    client: Client, server: ScriptedServer, pauses: Pauses, after: str
) -> None:
    server.script = [problem(503, "store_unavailable", headers={"retry_after": after}), as_json(job())]
    client.job("job_1")
    assert pauses.taken == [0.25]


def test_nobody_is_asked_forever(client: Client, server: ScriptedServer, pauses: Pauses) -> None:
    server.script = [problem(503, "store_unavailable")]
    with pytest.raises(Unavailable):
        client.job("job_1")
    assert len(server.asked) == 5
    assert pauses.taken == [0.25, 0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.cancel("job_1"),
        lambda client: client.resolve("job_1", give_up=True),
        lambda client: client.replay(),
        lambda client: client.replay_hand_off(3),
        lambda client: client.make_key("k", [Scope.READ]),
        lambda client: client.revoke_key("k"),
        lambda client: client.make_token(job_id="job_1"),
        lambda client: client.revoke_token("t"),
    ],
)
def test_what_could_be_done_twice_is_asked_once(client: Client, server: ScriptedServer, ask: Any) -> None:
    server.script = [problem(503, "store_unavailable")]
    with pytest.raises(Unavailable):
        ask(client)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "not_found", NotFound),
        (409, "not_allowed", NotAllowed),
        (422, "invalid_request", InvalidRequest),
        (422, "idempotency_key_reused", InvalidRequest),
        (401, "unauthorized", Unauthorized),
        (403, "forbidden", Forbidden),
        (410, "idempotent_jobs_gone", ApiError),
        (500, "internal_error", ApiError),
        (409, "a_code_of_tomorrow", NotAllowed),
    ],
)
def test_an_error_is_raised_by_its_code(
    client: Client, server: ScriptedServer, status: int, code: str, kind: type[ApiError]
) -> None:
    server.script = [problem(status, code, "no such job", hint="list them", request_id="r-1")]
    with pytest.raises(OrchestratorError) as raised:
        client.job("job_1")
    error = raised.value
    assert type(error) is kind
    assert isinstance(error, ApiError)
    assert (error.message, error.hint, error.status, error.code) == ("no such job", "list them", status, code)
    assert (error.request_id, error.retry) == ("r-1", errors.NEVER)
    assert len(server.asked) == 1


def test_an_error_says_which_places_are_wrong(client: Client, server: ScriptedServer) -> None:
    places = [{"at": "body.jobs.3.request", "detail": "has no model"}]
    server.script = [problem(422, "invalid_request", "the request is wrong", errors=places)]
    with pytest.raises(InvalidRequest, match=r"the request is wrong: body\.jobs\.3\.request: has no model"):
        client.submit(REQUEST)


def test_jobs_come_page_by_page(client: Client, server: ScriptedServer) -> None:
    server.script = [
        as_json({"jobs": [job(1), job(2)], "next": "c1"}),
        as_json({"jobs": [job(3)], "next": None}),
    ]
    found = client.jobs(
        states=[State.WAITING, State.FAILED],
        needs_person=False,
        accepted_after=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert [one.id for one in found] == ["job_1", "job_2", "job_3"]
    first = {
        "state": ["waiting", "failed"],
        "needs_person": ["false"],
        "accepted_after": ["2026-01-01T00:00:00+00:00"],
        "limit": ["200"],
    }
    assert [asked.query for asked in server.asked] == [first, {**first, "cursor": ["c1"]}]


def test_a_time_without_a_zone_is_refused(client: Client) -> None:
    with pytest.raises(RequestError, match="no zone"):
        list(client.jobs(accepted_after=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_ids_and_references_are_one_step_of_a_path(client: Client, server: ScriptedServer) -> None:
    server.script = [as_json(job())]
    client.job("../keys?x#y")
    client.job("..")
    client.by_reference("a/b c")
    assert [asked.path for asked in server.asked] == [
        "/v1/jobs/%2E%2E%2Fkeys%3Fx%23y",
        "/v1/jobs/%2E%2E",
        "/v1/jobs/by-reference/a%2Fb%20c",
    ]


def test_waiting_asks_until_the_job_is_ready(client: Client, server: ScriptedServer, pauses: Pauses) -> None:
    server.script = [as_json(job()), as_json(job()), as_json(job(ready=True, state="completed"))]
    assert client.wait("job_1").ready
    assert [asked.query["wait"] for asked in server.asked] == [["30.000"]] * 3
    assert pauses.taken == [1.0, 1.0]  # the server held nothing back: it is not asked without a pause


def test_waiting_ends_when_a_person_must_decide(client: Client, server: ScriptedServer) -> None:
    server.script = [as_json(job(needs_person=True, state="uncertain"))]
    assert not client.wait("job_1").ready


def test_waiting_ends_with_its_time(client: Client, server: ScriptedServer, pauses: Pauses) -> None:
    def held_back(asked: Any) -> Answer:
        pauses.now += float(asked.query["wait"][0])
        return as_json(job())

    server.script = [held_back]
    assert not client.wait("job_1", timeout=45).ready
    assert [asked.query["wait"] for asked in server.asked] == [["30.000"], ["15.000"]]


def test_what_a_person_can_do_is_sent_as_the_api_takes_it(client: Client, server: ScriptedServer) -> None:
    replay = {"destination": "hook", "status": 500, "as_new": False}
    cancelled = {"job": job(), "cancelled": False, "billed": True, "notice": "it is billed"}
    server.script = [
        as_json(cancelled),
        as_json(job(2, retry_of="job_1"), 201),
        as_json(job()),
        as_json({"replayed": 3, "more": True}),
        as_json({"replayed": 1, "more": False}),
        as_json({"replayed": 1}),
    ]
    assert client.cancel("job_1").billed
    assert client.retry("job_1").retry_of == "job_1"
    client.resolve("job_1", adopt="G-2")
    assert client.replay(destination="hook", status=500) == 4
    client.replay_hand_off(12, as_new=True)
    assert [(asked.path, asked.body and asked.json) for asked in server.asked] == [
        ("/v1/jobs/job_1/cancel", b""),
        ("/v1/jobs/job_1/retry", b""),
        ("/v1/jobs/job_1/resolve", {"adopt": "G-2"}),
        ("/v1/dead-letters/replay", replay),
        ("/v1/dead-letters/replay", replay),
        ("/v1/hand-offs/12/replay", {"as_new": True}),
    ]
    assert server.asked[1].headers["idempotency-key"] == '"made-1"'


def test_keys_and_tokens_are_made_listed_and_revoked(client: Client, server: ScriptedServer) -> None:
    key: dict[str, Any] = {"id": "k1", "name": "n", "scopes": ["read"], "created_at": AT}
    key |= dict.fromkeys(("expires_at", "revoked_at", "last_used_at"))
    token = {"id": "t1", "token": "hjt_t1_s", "job_id": "job_1", "end_user": None, "expires_at": AT}
    server.script = [
        as_json({**key, "key": "hjo_k1_s"}, 201),
        as_json({"keys": [key]}),
        as_json({**key, "revoked_at": AT}),
        as_json(token, 201),
        Answer(status=204),
        as_json({"tenant": "acme", "key_id": "k1", "name": "n", "scopes": ["read"]}),
    ]
    assert client.make_key("n", [Scope.READ], expires_in_seconds=60).key == "hjo_k1_s"
    listed = client.keys()
    assert [one.id for one in listed] == ["k1"]
    assert client.revoke_key("k1").revoked_at is not None
    assert client.make_token(job_id="job_1").token == "hjt_t1_s"
    client.revoke_token("t1")
    assert client.whoami().tenant == "acme"
    assert server.asked[0].json == {"name": "n", "scopes": ["read"], "expires_in_seconds": 60}
    assert [(asked.method, asked.path) for asked in server.asked[2:]] == [
        ("DELETE", "/v1/keys/k1"),
        ("POST", "/v1/tokens"),
        ("DELETE", "/v1/tokens/t1"),
        ("GET", "/v1/whoami"),
    ]


@pytest.mark.parametrize(
    "make",
    [
        lambda client: client.submit({"model": "m"}, deadline_seconds=-1),
        lambda client: client.submit({"model": "m", "prompt": "\ud800"}),
        lambda client: client.submit({"model": "m"}, idempotency_key="ü"),
        lambda client: client.resolve("job_1"),
        lambda client: client.resolve("job_1", resubmit=True, give_up=True),
        lambda client: client.make_token(job_id="j", end_user="u"),
        lambda client: client.make_key("k", []),
        lambda client: client.replay(status=7),
    ],
)
def test_what_makes_no_sense_is_refused_before_it_is_sent(
    client: Client, server: ScriptedServer, make: Any
) -> None:
    with pytest.raises(RequestError):
        make(client)
    assert not server.asked


def test_a_trace_goes_on(server: ScriptedServer) -> None:
    server.script = [as_json(job())]
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with Client(server.url, KEY, traceparent=lambda: trace) as client:
        client.job("job_1")
    assert server.asked[0].headers["traceparent"] == trace


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/", "/behind/a/path"])
def test_the_url_is_what_stands_before_the_version(server: ScriptedServer, end: str) -> None:
    server.script = [as_json(job())]
    with Client(server.url + end, KEY) as client:
        client.job("job_1")
    assert server.asked[0].path == f"{'/behind/a/path' if 'path' in end else ''}/v1/jobs/job_1"


@pytest.mark.parametrize(
    "url", ["", "host", "ftp://host", "http://", "http://u:secret@host", "http://h/?key=secret", "http://h:x"]
)
def test_a_url_that_is_none_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(SettingError) as refused:
        Client(url, KEY)
    assert "secret" not in refused.value.message + refused.value.hint


@pytest.mark.parametrize("key", ["", "hjo secret", "hjo_sécret", "hjo_secret\n"])
def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(SettingError) as refused:
        Client("http://127.0.0.1:1", key)
    assert "secret" not in str(refused.value) + refused.value.hint


def test_the_key_is_in_no_error_and_no_repr(client: Client, server: ScriptedServer) -> None:
    server.script = [problem(401, "unauthorized", "no such key")]
    with pytest.raises(Unauthorized) as refused:
        client.job("job_1")
    shown = [repr(client), repr(vars(client)), repr(refused.value), repr(vars(refused.value))]
    assert not [one for one in shown if KEY in one]


def test_a_server_that_is_not_there_is_said_to_be_unreachable(pauses: Pauses) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with (
        Client(url, KEY, around=Surroundings(sleep=pauses.sleep)) as client,
        pytest.raises(ApiUnreachable) as away,
    ):
        client.submit(REQUEST)
    assert url in away.value.message
    assert len(pauses.taken) == 4


def test_a_web_page_is_no_api(client: Client, server: ScriptedServer) -> None:
    server.script = [Answer(b"<html>hello</html>", headers={"content-type": "text/html"})]
    with pytest.raises(ApiBadAnswer, match="text/html instead of JSON") as other:
        client.job("job_1")
    assert "/v1" in other.value.hint


def test_another_server_s_404_is_not_a_missing_job(client: Client, server: ScriptedServer) -> None:
    server.script = [as_json({"detail": "Not Found"}, 404)]
    with pytest.raises(ApiBadAnswer, match="not how the API answers"):
        client.job("job_1")


def test_a_server_that_does_not_know_a_path_is_said_to_be_older(
    client: Client, server: ScriptedServer
) -> None:
    server.script = [problem(404, "no_such_path", "there is no /v1/whoami")]
    with pytest.raises(ApiBadAnswer) as older:
        client.job("job_1")
    assert "older than this client" in older.value.hint


def test_an_answer_of_another_version_is_said_to_be_one(client: Client, server: ScriptedServer) -> None:
    server.script = [as_json(job(state="dreaming"))]
    with pytest.raises(ApiBadAnswer, match="other than a Job: state does not fit") as other:
        client.job("job_1")
    assert "version" in other.value.hint


def test_what_a_newer_server_tells_beside_is_left_aside(client: Client, server: ScriptedServer) -> None:
    server.script = [as_json(job(tomorrow={"a": 1}))]
    assert client.job("job_1").id == "job_1"


def test_a_redirect_is_not_followed_with_the_key(client: Client, server: ScriptedServer) -> None:
    server.script = [Answer(status=307, headers={"location": "http://127.0.0.1:9/v1/jobs/job_1"})]
    with pytest.raises(ApiBadAnswer, match="redirect"):
        client.job("job_1")


def test_the_client_loads_no_server() -> None:
    script = "import sys, orchestrator.client; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    unwanted = {"celery", "sqlalchemy", "fastapi", "starlette", "typer", "psycopg", "redis", "cryptography"}
    assert not {*loaded.stdout.split()} & unwanted
