"""Requests, answers and errors."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.client import (
    Client,
    Unauthorized,
)
from orchestrator.core.access import Scope
from orchestrator.core.lifecycle import State
from orchestrator.errors import RequestError, SettingError
from orchestrator.wire.jobs import NewJob, NewRoute
from tests.integration.client.conftest import KEY, Pauses
from tests.integration.client.server import Answer, ScriptedServer, as_json, problem
from tests.integration.client.shapes import AT, job

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


def test_the_client_loads_no_server() -> None:
    script = "import sys, orchestrator.client; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    unwanted = {"celery", "sqlalchemy", "fastapi", "starlette", "typer", "psycopg", "redis", "cryptography"}
    assert not {*loaded.stdout.split()} & unwanted
