"""The Celery application: every setting of it, with the reason beside it.

Measured where a number or a choice says so: docs/explanation/messages.md has the figures.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from celery import Celery
from celery.worker.consumer import Consumer

from orchestrator.settings import QUEUES

EMBEDDED = "memory://localhost/"

SETTINGS: dict[str, Any] = {
    # Rows are the truth: a result would tell nobody anything.
    "task_ignore_result": True,
    "result_backend": None,
    # Early acks. A message names no job: one that is lost is made up for by the sweep, one that is doubled
    # claims nothing. Late acks bring nothing back sooner (the visibility timeout is longer than a sweep).
    "task_acks_late": False,
    # Fetch little ahead: a message that waits behind a long task could be running elsewhere.
    "worker_prefetch_multiplier": 1,
    # A queue for each kind of work: slow hand-offs hold up nothing else, and a worker may serve some alone.
    "task_routes": {queue: {"queue": queue} for queue in QUEUES},
    # Whoever uses a queue first makes it: nobody has to declare them before the others start.
    "task_create_missing_queues": True,
    # Nothing that could run code when it is read, whoever else may write to that Redis.
    "task_serializer": "json",
    "accept_content": ["json"],
    # A publish that fails is tried once more on a new connection, which is what a restarted broker needs.
    # Not for longer: the sweep repairs, a blocked thread does not.
    "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0.0},
    # Wait for the broker for as long as it takes; the default gives up after 100 attempts.
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    # A Redis that refuses (out of memory, a full disk, a replica after a failover) is as good as away.
    "broker_channel_error_retry": True,
    # Celery 5.7.0 ends a worker whose broker goes away while it holds a message.
    "worker_consumer": "orchestrator.celery_app:SafeConsumer",
    # After a lost connection a worker would fetch less for each task under way, lest it runs them twice; its
    # messages were acknowledged and name no job, so that only makes it slow.
    "worker_enable_prefetch_count_reduction": False,
    # What it cancels are tasks with late acks: none of ours. Unset, each lost connection warns about it.
    "worker_cancel_long_running_tasks_on_connection_loss": True,
    # Announcements between workers, of no use here.
    "worker_send_task_events": False,
    "worker_enable_remote_control": False,
    # Logs are ours: one JSON line each.
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    # How exactly countdowns are kept; the default of a second is too coarse for short ones.
    "worker_timer_precision": 0.05,
    # A countdown travels as a time of day: it must mean the same in a process of another time zone.
    "enable_utc": True,
}

REDIS: dict[str, Any] = {
    # A message that its worker did not live to acknowledge comes back after this. Longer than any message
    # is held (countdowns reach 30 s ahead), or it would be delivered again and again; it need not be short,
    # since the sweep has long sent another.
    "visibility_timeout": 300,
    # Without a timeout a connection that went dead without a word is waited for for ever (kombu's default).
    # Longer than the second for which a consumer's BRPOP blocks.
    "socket_timeout": 5,
    # A machine that takes no connection is given up for this time: another attempt follows soon.
    "socket_connect_timeout": 2,
    # A peer that is gone is noticed, and what lies between is not left to forget a connection, while nobody
    # has anything to say; what was unused for longer is tried with a PING first.
    "socket_keepalive": True,
    "health_check_interval": 5,
    # Only our own messages, though others share the database.
    "global_keyprefix": "orchestrator:",
}

# Whoever publishes has something better to do than to wait for a broker that hangs.
PUBLISHING = {"socket_timeout": 2, "socket_connect_timeout": 1}

RECONNECT_EVERY = 2  # seconds, whole ones
LOOK_UP_EVERY = 0.1  # seconds


class Bell:
    """Wakes the workers of this process: the transport in memory would look for messages again and again."""

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._times = 0

    def ring(self) -> None:
        """There may be something to do."""
        with self._rung:
            self._times += 1
            self._rung.notify_all()

    @property
    def times(self) -> int:
        """How often it was rung so far."""
        return self._times

    def wait(self, times: int, seconds: float) -> None:
        """Until it was rung more often than that, for so long at most."""
        with self._rung:
            self._rung.wait_for(lambda: self._times > times, seconds)


BELL = Bell()


class InMemory(Celery):
    """An application whose messages stay in this process."""

    def send_task(self, *args: Any, **kwargs: Any) -> Any:
        """Send, and wake whoever takes it."""
        sent = super().send_task(*args, **kwargs)
        BELL.ring()
        return sent


class SafeConsumer(Consumer):
    """Outlives its broker, and notices that it was away (Celery 5.7.0, kombu 5.7.0).

    Celery closes a connection again after its remains were collected; on Redis that second close restores
    unacked messages over a client that is gone, which ends the worker.

    And it only logs an ack that failed. To kombu the message is unacked from then on, so where no more may be
    fetched it asks for none, has no connection to see the loss on, and waits for ever.
    """

    hub: Any
    task_consumer: Any

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """The connection broke; a new one is made after this."""
        if self.connection is not None:
            self.connection.close = lambda: None  # type: ignore[method-assign]
        super().on_connection_error_after_connected(exc)

    def call_soon_ack(self, p: Any, *args: Any, **kwargs: Any) -> Any:
        """Acknowledge (or reject) a message in the event loop; what goes wrong there ends the connection."""
        if self.hub is None:  # in memory: nothing to lose
            acked = super().call_soon_ack(p, *args, **kwargs)  # type: ignore[misc]  # not in its stubs
            BELL.ring()  # where no more could be fetched before, it can now
            return acked
        message = p.__self__
        settle = message.ack if p.__name__ == "ack_log_error" else message.reject
        return self.hub.call_soon(self._settle, message.channel, partial(settle, *args[2:], **kwargs))

    def _settle(self, channel: Any, settle: Callable[[], None]) -> None:
        # What came over an earlier connection has gone with it: Redis gives it to somebody again.
        if self.task_consumer is not None and channel is self.task_consumer.channel:
            settle()

    def ensure_connected(self, conn: Any) -> Any:
        """Wait for the broker."""
        return super().ensure_connected(patient(conn if self.hub else _woken(conn)))


def _woken(connection: Any) -> Any:
    """The same one, waiting for the bell: in memory, Celery looks whether to stop after each wait."""
    look = connection.drain_events

    def drain_events(timeout: float) -> None:
        times = BELL.times
        try:
            look(timeout=0)
        except TimeoutError:
            BELL.wait(times, min(timeout, LOOK_UP_EVERY))
            raise

    connection.drain_events = drain_events
    return connection


def patient(connection: Any) -> Any:
    """The same one, trying as often after ten minutes as at first; Celery would every 30 s."""
    every = {"interval_start": RECONNECT_EVERY, "interval_step": 0}
    connection.ensure_connection = partial(connection.ensure_connection, **every)
    return connection


def make_app(broker_url: str = EMBEDDED, *, publishes: bool = False) -> Celery:
    """A Celery application on this broker, without tasks yet. `publishes`: it only sends messages."""
    kind = InMemory if broker_url == EMBEDDED else Celery
    app = kind("orchestrator", broker=broker_url, set_as_current=False)
    app.conf.update(SETTINGS)
    if broker_url.startswith("rediss:"):
        # kombu's default takes any certificate. One's own authority is named in the URL: ?ssl_ca_certs=…
        app.conf.broker_use_ssl = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    if broker_url != EMBEDDED:
        app.conf.broker_transport_options = REDIS | (PUBLISHING if publishes else {})
    return app
