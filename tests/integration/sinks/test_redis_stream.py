"""The stream sink keeps every sink's promise, and those that only a stream makes."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import ValidationError

from orchestrator.errors import NEVER, DestinationError
from orchestrator.sinks import Parcel
from orchestrator.sinks.documents import LARGEST
from orchestrator.sinks.redis_stream import RedisStreamSink
from tests.integration.sinks.conformance import (
    NAME,
    ReadBack,
    SinkConformance,
    assert_is,
    deliver,
    fresh_name,
    parcel,
)
from tests.integration.sinks.redis_streams import STREAM, entries, names, sink_at
from tests.sandbox.harness import until
from tests.servers.redis import Redis, RedisServer

SEEN = f"{{{STREAM}}}:seen:{NAME}"


@pytest.fixture
def server(redis_server: Redis) -> Redis:
    redis_server.flush()
    return redis_server


@pytest.fixture
def sink(server: Redis) -> Iterator[RedisStreamSink]:
    made = sink_at(server.url)
    yield made
    made.close()


@pytest.fixture
def read_back(server: Redis) -> ReadBack:
    def read(name: str) -> bytes | None:
        found = [fields[b"data"] for fields in entries(server) if fields[b"id"] == name.encode()]
        assert len(found) <= 1
        return found[0] if found else None

    return read


class TestRedisStream(SinkConformance):
    pass


def test_an_entry_tells_what_it_is_and_of_when(sink: RedisStreamSink, server: Redis) -> None:
    staging = sink.stage(Parcel("job-1", "application/json", "job.completed", 1_700_000_000.25), 1)
    staging.write(b'{"job_id": "job-1"}')
    staging.publish()
    assert entries(server) == [
        {
            b"id": b"job-1",
            b"type": b"job.completed",
            b"timestamp": b"2023-11-14T22:13:20.250+00:00",
            b"data": b'{"job_id": "job-1"}',
        }
    ]


def test_where_it_is_is_told_by_server_stream_and_entry(sink: RedisStreamSink, server: Redis) -> None:
    told = deliver(sink, NAME, 1, b"{}")
    with server.client() as client:
        ((entry, _),) = client.xrange(STREAM)
    place = server.url.removeprefix("redis://")
    assert told.location == f"{place} stream {STREAM} entry {entry.decode()}"


def test_handed_off_ten_times_at_once_it_is_one_entry(sink: RedisStreamSink, server: Redis) -> None:
    with ThreadPoolExecutor(10) as pool:
        told = {*pool.map(lambda attempt: deliver(sink, NAME, attempt, b"once"), range(10))}
    assert names(server) == [NAME]
    assert told == {sink.find(parcel(NAME))}


def test_what_a_consumer_has_removed_is_not_added_again(sink: RedisStreamSink, server: Redis) -> None:
    told = deliver(sink, NAME, 1, b"read")
    with server.client() as client:
        client.xtrim(STREAM, maxlen=0, approximate=False)
    assert sink.find(parcel(NAME)) == told
    assert deliver(sink, NAME, 2, b"read") == told
    assert names(server) == []


@pytest.mark.parametrize(("options", "window"), [({}, 7 * 86_400), ({"window_seconds": 100}, 100)])
def test_a_name_is_remembered_for_the_window(server: Redis, options: dict[str, int], window: int) -> None:
    sink = sink_at(server.url, **options)
    deliver(sink, NAME, 1, b"x")
    with server.client() as client:
        assert window - 60 < client.ttl(SEEN) <= window
    sink.close()


def test_once_the_name_is_forgotten_a_repetition_is_a_second_entry(
    sink: RedisStreamSink, server: Redis
) -> None:
    deliver(sink, NAME, 1, b"x")
    with server.client() as client:
        client.delete(SEEN)
    assert sink.find(parcel(NAME)) is None
    deliver(sink, NAME, 2, b"x")
    assert names(server) == [NAME, NAME]


def test_a_stream_with_a_limit_keeps_about_so_many_entries(server: Redis) -> None:
    sink = sink_at(server.url, maxlen=10)
    for _ in range(250):
        deliver(sink, fresh_name(), 1, b"{}")
    assert 10 <= len(names(server)) <= 130, "whole blocks of a hundred are trimmed"
    sink.close()


def test_a_document_up_to_256_kib_is_taken_and_no_larger_one(sink: RedisStreamSink, server: Redis) -> None:
    assert_is(deliver(sink, "largest", 1, bytes(LARGEST)), bytes(LARGEST))
    staging = sink.stage(parcel(NAME), 1)
    staging.write(bytes(LARGEST))
    with pytest.raises(DestinationError, match="larger than 262144 bytes") as refused:
        staging.write(b"x")
    assert refused.value.retry == NEVER
    assert "folder or a bucket" in refused.value.hint
    assert names(server) == ["largest"]


def test_a_check_adds_no_entry_and_leaves_no_key(sink: RedisStreamSink, server: Redis) -> None:
    sink.check()
    with server.client() as client:
        assert client.keys() == []
        deliver(sink, NAME, 1, b"x")
        before = client.xinfo_stream(STREAM)
        sink.check()
        assert client.xinfo_stream(STREAM) == before


def test_checks_at_once_do_not_disturb_each_other(sink: RedisStreamSink) -> None:
    with ThreadPoolExecutor(8) as pool:
        for checked in [pool.submit(sink.check) for _ in range(80)]:
            checked.result()


@pytest.mark.parametrize("stream", ["videos", "{videos}:results", "a:{videos}", "with:colons|and-more"])
def test_on_a_cluster_stream_and_names_lie_in_one_slot(cluster: RedisServer, stream: str) -> None:
    sink = sink_at(cluster.url, stream=stream)
    sink.check()
    told = deliver(sink, NAME, 1, b"{}")
    assert sink.find(parcel(NAME)) == told
    assert len(entries(cluster, stream)) == 1
    sink.close()


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisServer]:
    """A cluster of one node, which refuses commands whose keys lie in several slots."""
    server = RedisServer(None, **{"cluster-enabled": "yes"})
    with server.client() as client:
        client.execute_command("CLUSTER ADDSLOTS", *range(16_384))
        until(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
    yield server
    server.close()


@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://:secret@localhost"},
        {"url": "redis://:secret@"},
        {"url": "redis://:secret@localhost:port"},
        {"url": "redis://:secret@localhost:99999"},
        {"url": "redis://:secret@[::1"},
        {"url": "redis://:secret@localhost/videos"},
        {"url": "redis://:secret@localhost?decode_responses=true"},
        {"url": "unix:///secret/socket"},
        {"stream": ""},
        {"stream": "with space"},
        {"stream": "video{}s"},
        {"stream": "{a}{b}"},
        {"stream": "é"},
        {"stream": "x" * 201},
        {"window_seconds": 0},
        {"maxlen": 0},
        {"maxlne": 5},
    ],
    ids=json.dumps,
)
def test_options_that_cannot_be_meant_are_refused_without_being_repeated(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        sink_at(**{"url": "redis://localhost", **options})  # type: ignore[arg-type]
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["redis://localhost", "rediss://user:p%40ss@[::1]:6380/2?ssl_cert_reqs=none"])
def test_urls_as_redis_has_them_are_taken(url: str) -> None:
    sink_at(url).close()
