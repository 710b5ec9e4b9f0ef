"""What the client sends again, when, and for how long."""

from typing import Any

import pytest

from orchestrator.client import (
    Client,
    RateLimited,
    Unavailable,
)
from orchestrator.core.access import Scope
from tests.integration.client.conftest import Pauses
from tests.integration.client.server import Answer, ScriptedServer, as_json, problem
from tests.integration.client.shapes import job
from tests.integration.client.test_calls import REQUEST


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
