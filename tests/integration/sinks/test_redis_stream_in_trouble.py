"""A Redis that cannot take what is owed to it, or dies while it does: the words, and still one entry each."""

import random
import socketserver
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
import redis

from orchestrator.errors import DestinationError
from orchestrator.sinks.redis_stream import RedisStreamSink
from tests.integration.sinks.conformance import NAME, deliver, parcel
from tests.integration.sinks.redis_streams import STREAM, names, sink_at
from tests.patience import LONG
from tests.ports import free_port
from tests.servers.redis import RedisServer

PASSWORD = "correct-horse"
SECONDS = 30.0  # generous: a try takes three


@pytest.fixture
def sink(own_redis: RedisServer) -> Iterator[RedisStreamSink]:
    made = sink_at(own_redis.url)
    yield made
    made.close()


def uses(sink: RedisStreamSink) -> list[Callable[[], object]]:
    return [sink.check, lambda: sink.find(parcel(NAME)), lambda: deliver(sink, NAME, 1, b"{}")]


def refused(use: Callable[[], object], words: str) -> DestinationError:
    with pytest.raises(DestinationError, match=words) as raised:
        use()
    error = raised.value
    assert error.hint
    assert error.retry.again
    assert PASSWORD not in "".join(traceback.format_exception(error)) + error.hint + repr(error)
    return error


def until_delivered(sink: RedisStreamSink, name: str) -> None:
    end = time.monotonic() + LONG
    for attempt in range(10_000):
        with suppress(DestinationError):
            deliver(sink, name, attempt, name.encode())
            return
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_server_that_is_not_there_is_named() -> None:
    sink = sink_at(f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0")
    for use in uses(sink):
        error = refused(use, r"cannot .* 127\.0\.0\.1:\d+/0 stream videos: it cannot be reached")
        assert "refused" in error.message


def test_a_host_that_is_no_name_is_an_error_in_words() -> None:
    for use in uses(sink_at(f"redis://:{PASSWORD}@{'x' * 70}.invalid")):
        refused(use, "it cannot be reached")


def test_a_frozen_server_is_given_up_within_seconds_and_what_it_does_later_counts(
    sink: RedisStreamSink, own_redis: RedisServer
) -> None:
    deliver(sink, "before", 1, b"x")
    own_redis.pause()
    begin = time.monotonic()
    for use in reversed(uses(sink)):
        refused(use, "no answer within 3 s")
    assert time.monotonic() - begin < SECONDS
    own_redis.resume()
    until_delivered(sink, NAME)
    assert names(own_redis) == ["before", NAME]


def test_a_server_killed_while_an_attempt_waits_for_it_is_an_error_and_the_next_makes_one_entry(
    sink: RedisStreamSink, own_redis: RedisServer
) -> None:
    deliver(sink, "before", 1, b"x")
    own_redis.pause()
    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(deliver, sink, NAME, 1, b"x")
        own_redis.kill()
        refused(lambda: publishing.result(LONG), "it cannot be reached|no answer within")
    own_redis.start()
    until_delivered(sink, NAME)
    assert names(own_redis) == ["before", NAME]


def test_killed_again_and_again_it_has_each_entry_once(sink: RedisStreamSink, own_redis: RedisServer) -> None:
    chance, ended = random.Random(7), threading.Event()
    expected: list[list[str]] = [[], []]

    def add(mine: list[str], letter: str) -> None:
        while not ended.is_set():
            mine.append(f"{letter}{len(mine)}")
            until_delivered(sink, mine[-1])

    with ThreadPoolExecutor(2) as pool:
        adding = [pool.submit(add, mine, letter) for mine, letter in zip(expected, "ab", strict=True)]
        try:
            for _ in range(4):
                so_far = len(expected[0])
                while len(expected[0]) < so_far + chance.randrange(5, 60):
                    assert not any(one.done() for one in adding)
                    time.sleep(0.001)
                own_redis.kill()
                own_redis.start()
        finally:
            ended.set()
        for one in adding:
            one.result(LONG)
    assert sorted(names(own_redis)) == sorted([*expected[0], *expected[1]])


def test_a_wrong_and_a_missing_password_are_named_and_never_shown(own_redis: RedisServer) -> None:
    with own_redis.client() as client:
        client.config_set("requirepass", "another")
    for url, words in (
        (own_redis.url, "wants a password.*NOAUTH"),
        (own_redis.url.replace("//", f"//:{PASSWORD}@"), "refuses the password.*WRONGPASS"),
        (own_redis.url.replace("//", f"//somebody:{PASSWORD}@"), "refuses the password.*WRONGPASS"),
    ):
        sink = sink_at(url)
        assert PASSWORD not in repr(sink) + sink.place + repr(sink.__dict__)
        for use in uses(sink):
            refused(use, words)


@pytest.mark.parametrize(
    "rules",
    [
        ["+@all", "-xadd", "~*"],
        ["+@all", "-eval", "~*"],
        ["+@all", "~other"],
        ["+@all", f"~{{{STREAM}}}:*"],
        ["+@all", f"~{STREAM}"],
    ],
    ids=" ".join,
)
def test_rights_that_are_missing_are_noticed_by_the_check(own_redis: RedisServer, rules: list[str]) -> None:
    with own_redis.client() as client:
        client.execute_command("ACL", "SETUSER", "poor", "on", f">{PASSWORD}", *rules)
    sink = sink_at(own_redis.url.replace("//", f"//poor:{PASSWORD}@"))
    refused(sink.check, "may not do this.*NOPERM")
    refused(lambda: deliver(sink, NAME, 1, b"{}"), "may not do this.*NOPERM")
    assert names(own_redis) == []


def test_the_rights_that_the_hint_names_are_enough(own_redis: RedisServer) -> None:
    with own_redis.client() as client:
        client.execute_command("CONFIG", "SET", "requirepass", "another")
        client.execute_command("AUTH", "another")
        rights = ["+eval", "+type", "+get", "+set", "+del", "+xadd", "+ping"]
        keys = [f"~{STREAM}", f"~{{{STREAM}}}:seen:*"]
        client.execute_command("ACL", "SETUSER", "enough", "on", f">{PASSWORD}", *rights, *keys)
    sink = sink_at(own_redis.url.replace("//", f"//enough:{PASSWORD}@"))
    sink.check()
    told = deliver(sink, NAME, 1, b"{}")
    assert sink.find(parcel(NAME)) == told


def test_another_kind_of_key_in_the_streams_place_is_named(
    sink: RedisStreamSink, own_redis: RedisServer
) -> None:
    with own_redis.client() as client:
        client.set(STREAM, "a word")
        refused(sink.check, "not a stream has the stream's name.*WRONGTYPE")
        refused(lambda: deliver(sink, NAME, 1, b"{}"), "not a stream has the stream's name.*WRONGTYPE")
        assert sink.find(parcel(NAME)) is None, "a failed attempt is not remembered as done"
        client.delete(STREAM)
    deliver(sink, NAME, 2, b"{}")
    assert names(own_redis) == [NAME]


def test_a_foreign_value_beside_the_stream_is_no_delivery(
    sink: RedisStreamSink, own_redis: RedisServer
) -> None:
    with own_redis.client() as client:
        client.set(f"{{{STREAM}}}:seen:{NAME}", "a word")
    for use in uses(sink)[1:]:
        refused(use, "has what we never wrote")


def test_a_full_memory_is_named_and_afterwards_there_is_one_entry(
    sink: RedisStreamSink, own_redis: RedisServer
) -> None:
    with own_redis.client() as client:
        client.config_set("maxmemory", 1)
        refused(sink.check, "memory is used up.*OOM")
        refused(lambda: deliver(sink, NAME, 1, b"{}"), "memory is used up.*OOM")
        client.config_set("maxmemory", 0)
    deliver(sink, NAME, 2, b"{}")
    assert names(own_redis) == [NAME]


def test_a_primary_that_became_a_replica_is_named(sink: RedisStreamSink, own_redis: RedisServer) -> None:
    deliver(sink, "before", 1, b"{}")
    with own_redis.client() as client:
        client.replicaof("127.0.0.1", str(free_port()))
        refused(sink.check, "is a replica.*READONLY")
        refused(lambda: deliver(sink, NAME, 1, b"{}"), "is a replica.*READONLY")
        client.replicaof("NO", "ONE")
    deliver(sink, NAME, 2, b"{}")
    assert names(own_redis) == ["before", NAME]


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """The URL of something that answers every command with the same line."""

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                while self.request.recv(65_536):
                    self.request.sendall(answer + b"\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads, server.block_on_close = True, False
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"-MISCONF Redis is configured to save RDB snapshots", "cannot save to its disk.*MISCONF"),
        (b"-MOVED 3999 127.0.0.1:6381", "another node of its cluster.*MOVED"),
        (b"-ASK 3999 127.0.0.1:6381", "being moved.*ASK"),
        (b"-CLUSTERDOWN Hash slot not served", "cluster is down.*CLUSTERDOWN"),
        (b"-LOADING Redis is loading the dataset in memory", "still reading its data.*LOADING"),
        (b"-MASTERDOWN Link with MASTER is down", "lost its primary.*MASTERDOWN"),
        (b"-ERR Error running script (call to f_1): @user_script:3: OOM command not allowed", "used up.*OOM"),
        (
            b"-ERR unknown command `EVAL`, with args beginning with: `correct-horse`",
            "answers unknown command `EVAL`$",
        ),
        (b"-\x1b[2J what\x00", "what"),
        (b"+OK", "we never wrote|not read again"),
        (b":5", "we never wrote|not read again"),
        (b"HTTP/1.1 400 Bad Request", "cannot be reached"),
    ],
    ids=lambda value: value.split()[0].decode(errors="replace") if isinstance(value, bytes) else "",
)
def test_what_a_server_may_answer_is_told_in_words(answer: bytes, words: str) -> None:
    with answering(answer) as url:
        sink = sink_at(url)
        for use in (sink.check, lambda: deliver(sink, NAME, 1, b"{}")):
            error = refused(use, words)
            assert error.message.isprintable()
        sink.close()


def test_a_connection_that_was_cut_while_nobody_used_it_costs_no_attempt(
    sink: RedisStreamSink, own_redis: RedisServer
) -> None:
    deliver(sink, "before", 1, b"{}")
    own_redis.restart()
    deliver(sink, NAME, 1, b"{}")
    with own_redis.client() as client, suppress(redis.ResponseError):
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    deliver(sink, "after", 1, b"{}")
    assert names(own_redis) == ["before", NAME, "after"]
