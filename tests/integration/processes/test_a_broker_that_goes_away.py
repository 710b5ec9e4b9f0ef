"""A worker on a Redis that goes away in the middle of its messages, and comes back."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import redis
from celery import Celery
from kombu.exceptions import OperationalError
from kombu.transport.redis import Channel

from orchestrator.celery_app import PUBLISHING, RECONNECT_EVERY, make_app
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.processes.beat import _Scheduler
from orchestrator.processes.workers import EmbeddedWorkers
from orchestrator.tasks.sending import Sender
from tests.patience import LONG
from tests.sandbox.harness import until
from tests.servers.redis import RedisServer

TIMES = 2
STUCK_AFTER = 6.0  # seconds; a broker that is back is noticed within two


class Stream:
    """A worker of one thread, and messages for it without end."""

    def __init__(self, url: str, **settings: str) -> None:
        self.ran, self.url, self.settings, self.over = 0, url, settings, threading.Event()
        self.workers = EmbeddedWorkers(self._app, {Task.LOOK: 1}, "stream", drain=5)
        self.workers.start()
        self.workers.wait()
        self.sending = threading.Thread(target=self._send, daemon=True)
        self.sending.start()

    def _app(self) -> Celery:
        def task() -> None:
            self.ran += 1

        app = make_app(self.url)
        app.conf.update(self.settings)
        app.task(name=Task.LOOK, shared=False)(task)
        return app

    def _send(self) -> None:
        clock = iter(range(0, 10**9, 10))  # each call seems late enough to try again
        send = Sender(make_app(self.url, publishes=True), lambda: next(clock))
        while not self.over.wait(0.002):
            send([FollowUp(Task.LOOK), FollowUp(Task.LOOK, 20)])

    def flows(self, seconds: float = LONG) -> bool:
        """Whether messages run."""
        before, end = self.ran, time.monotonic() + seconds
        while time.monotonic() < end and not self.workers.dead():
            if self.ran > before + 20:
                return True
            self.over.wait(0.01)
        return False

    def end(self) -> None:
        self.over.set()
        self.sending.join(LONG)
        self.workers.stop()


@pytest.fixture
def stream(own_redis: RedisServer) -> Iterator[Stream]:
    stream = Stream(own_redis.url)
    assert stream.flows()
    yield stream
    stream.end()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_our_consumer_goes_on_each_time(stream: Stream, own_redis: RedisServer, how: str) -> None:
    for _ in range(TIMES):
        getattr(own_redis, how)()
        own_redis.start()
        assert stream.flows(), stream.workers.dead() or "it waits for ever"


def test_our_consumer_goes_on_when_redis_had_no_memory(stream: Stream, own_redis: RedisServer) -> None:
    with own_redis.client() as client:
        client.config_set("maxmemory", "1")
        until(lambda: not stream.flows(0.5))
        client.config_set("maxmemory", "0")
    assert stream.flows(), stream.workers.dead() or "it waits for ever"


@pytest.fixture
def cut_in_an_ack(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Cuts every connection while a worker waits for the answer to its next ack."""
    armed, ack = threading.Event(), Channel.basic_ack

    def acknowledge(channel: Channel, *arguments: Any, **more: Any) -> None:
        if not armed.is_set():
            return ack(channel, *arguments, **more)
        armed.clear()
        with own_redis.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)
        raise redis.ConnectionError("Connection closed by server.")

    def cut() -> None:
        armed.set()
        until(lambda: not armed.is_set())

    monkeypatch.setattr(Channel, "basic_ack", acknowledge)
    return cut


def test_our_consumer_goes_on_when_its_connection_is_cut_in_the_middle_of_an_ack(
    stream: Stream, cut_in_an_ack: Callable[[], None]
) -> None:
    for _ in range(5):
        cut_in_an_ack()
        assert stream.flows(), stream.workers.dead() or "it waits for ever"


def test_celerys_own_consumer_does_not(own_redis: RedisServer, cut_in_an_ack: Callable[[], None]) -> None:
    """When this fails, Celery has mended what SafeConsumer works around: see whether that can go."""
    stream = Stream(own_redis.url, worker_consumer="celery.worker.consumer:Consumer")
    assert stream.flows()
    cut_in_an_ack()
    flows = stream.flows(STUCK_AFTER)
    stream.end()
    assert not flows


def test_our_consumer_goes_on_however_often_its_connections_are_cut(
    stream: Stream, own_redis: RedisServer
) -> None:
    with own_redis.client() as client:
        for _ in range(10):
            client.client_kill_filter(_type="normal", skipme=True)
            assert stream.flows(), stream.workers.dead() or "it waits for ever"


def test_a_beat_that_started_without_it_tries_as_often_later_as_at_first(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    own_redis.stop()
    beat = _Scheduler(make_app(own_redis.url, publishes=True))
    sending = threading.Thread(target=lambda: beat.producer, daemon=True)
    sending.start()
    until(lambda: len(caplog.messages) > 2)
    assert {message.partition("Trying again in ")[2] for message in caplog.messages} == {
        f"{RECONNECT_EVERY:.1f} seconds..."
    }
    own_redis.start()
    sending.join(LONG)
    assert not sending.is_alive()


# On a connection that it has a publisher waits for an answer, then tries twice anew; a machine may be busy.
GIVES_UP_WITHIN = 3 * sum(PUBLISHING.values()) + 30


def _fails_to_send(app: Celery) -> float:
    """Seconds until it gave up."""
    began = time.monotonic()
    with pytest.raises(OperationalError):
        app.send_task(Task.LOOK)
    return time.monotonic() - began


def test_a_publish_does_not_wait_for_a_redis_that_hangs(own_redis: RedisServer) -> None:
    app = make_app(own_redis.url, publishes=True)
    app.send_task(Task.LOOK)
    own_redis.pause()
    without_connection = make_app(own_redis.url, publishes=True)
    with ThreadPoolExecutor(2) as publishers:
        assert max(publishers.map(_fails_to_send, (app, without_connection))) < GIVES_UP_WITHIN


def test_a_publish_does_not_wait_for_a_machine_that_takes_no_connection() -> None:
    with socket.socket() as full, ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # nobody accepts them, so there is no room for one more
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        url = f"redis://127.0.0.1:{full.getsockname()[1]}/0"
        assert _fails_to_send(make_app(url, publishes=True)) < GIVES_UP_WITHIN
