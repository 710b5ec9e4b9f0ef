"""Events over connections that do not last."""

from typing import Any

import pytest

from orchestrator.client import ApiBadAnswer, ApiUnreachable, Client, NotFound
from orchestrator.core.events import Told
from tests.integration.client.conftest import Pauses
from tests.integration.client.server import Answer, ScriptedServer, as_json, problem, stream
from tests.integration.client.shapes import job, message

END = "event: end\ndata: {}\n\n"


def test_events_come_in_order_and_end_with_the_job(client: Client, server: ScriptedServer) -> None:
    server.script = [stream(": hello\n\n", message(1, "accepted"), message(2, data={"progress": 40}), END)]
    with client.events("job_1") as events:
        found = list(events)
    assert [(one.seq, one.type) for one in found] == [(1, Told.ACCEPTED), (2, Told.PROGRESS)]
    assert found[1].data == {"progress": 40}
    assert (server.asked[0].path, len(server.asked)) == ("/v1/jobs/job_1/events", 1)
    assert "last-event-id" not in server.asked[0].headers


def test_a_stream_that_is_cut_goes_on_from_its_last_whole_event(
    client: Client, server: ScriptedServer, pauses: Pauses
) -> None:
    half = message(3)[:-20]
    server.script = [stream(message(1), message(2), half, cut=500), stream(message(3), END)]
    with client.events("job_1") as events:
        assert [one.seq for one in events] == [1, 2, 3]
        assert events.last_event_id == "3"
    assert server.asked[1].headers["last-event-id"] == "2"
    assert pauses.taken == [2.0]


def test_a_stream_that_ends_without_saying_so_goes_on_when_the_server_wants_it(
    client: Client, server: ScriptedServer, pauses: Pauses
) -> None:
    server.script = [stream("retry: 250\n\n", message(1)), stream(message(2), END)]
    with client.events("job_1") as events:
        assert [one.seq for one in events] == [1, 2]
    assert pauses.taken == [0.25]


def test_another_process_goes_on_where_one_stopped(client: Client, server: ScriptedServer) -> None:
    server.script = [stream(message(6), END)]
    with client.events(last_event_id="a-cursor") as events:
        assert next(events).seq == 6
    assert (server.asked[0].path, server.asked[0].headers["last-event-id"]) == ("/v1/events", "a-cursor")


def test_only_some_events_may_be_wanted(client: Client, server: ScriptedServer) -> None:
    server.script = [stream(message(1), END)]
    with client.events(end_user="u", types=[Told.STATE, Told.OUTPUT], from_start=True) as events:
        next(events)
    assert server.asked[0].query == {"end_user": ["u"], "types": ["state", "output"], "from": ["start"]}


def test_an_id_that_comes_alone_is_where_the_next_stream_begins(
    client: Client, server: ScriptedServer
) -> None:
    server.script = [stream("id: now\n\n"), stream(message(1), END)]
    with client.events() as events:
        assert [one.seq for one in events] == [1]
    assert server.asked[1].headers["last-event-id"] == "now"


def test_a_server_that_restarts_is_waited_for(client: Client, server: ScriptedServer, pauses: Pauses) -> None:
    away = [Answer(b"", 502), problem(503, "store_unavailable", headers={"retry_after": "5"})]
    server.script = [stream(message(1), cut=9), *away, stream(message(2), END)]
    with client.events("job_1") as events:
        assert [one.seq for one in events] == [1, 2]
    assert pauses.taken == [2.0, 2.0, 5.0]


def test_streams_that_bring_nothing_are_not_opened_forever(client: Client, server: ScriptedServer) -> None:
    server.script = [stream()]
    with client.events("job_1") as events, pytest.raises(ApiUnreachable, match="again and again"):
        next(events)
    assert len(server.asked) == 5


def test_a_job_that_is_gone_meanwhile_ends_the_stream_with_its_error(
    client: Client, server: ScriptedServer
) -> None:
    server.script = [stream(message(1), cut=9), problem(404, "not_found", "there is no job job_1")]
    with client.events("job_1") as events, pytest.raises(NotFound):
        list(events)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "answer", [as_json(job()), stream("data: {}\n\n"), stream('data: {"job_id"\n\n'), stream("x" * 2_000_000)]
)
def test_what_is_no_stream_of_events_is_said_to_be_none(
    client: Client, server: ScriptedServer, answer: Any
) -> None:
    server.script = [answer]
    with client.events("job_1") as events, pytest.raises(ApiBadAnswer):
        list(events)
