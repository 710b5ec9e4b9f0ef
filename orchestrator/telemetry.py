"""Structured logs: one line of JSON each, named, with the job it is about.

Every event is declared here, once, with its meaning; nothing else is logged by the project's own code.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from orchestrator import metrics

_LOGGER = logging.getLogger("orchestrator")
_JSON = json.JSONEncoder(default=str, ensure_ascii=False)  # once: `json.dumps` would make one for each line
_REQUEST: ContextVar[dict[str, str] | None] = ContextVar("request", default=None)


class Event(StrEnum):
    """The name of a log line."""

    STARTED = "started"  # a process is ready
    STOPPED = "stopped"  # a process ended in order
    JOB_ACCEPTED = "job_accepted"  # a job was kept
    JOB_MOVED = "job_moved"  # a job changed its state
    JOB_CLASH = "job_clash"  # something contradicts what is settled
    CREATE_HELD = "create_held"  # a tenant has as much under way as it may: its further creates wait
    TENANT_RELEASED = "tenant_released"  # that is over
    CREATE_UNCERTAIN = "create_uncertain"  # a create call may or may not have made a paid job
    NEEDS_PERSON = "needs_person"  # an uncertain create waits for `orchestrator resolve`
    LOOK_BROKE = "look_broke"  # an answer to a look met a bug of ours; the other looks go on
    SWEEP_BROKE = "sweep_broke"  # what a sweep found of one job met a bug of ours; the other jobs go on
    LOOK_FAILED = "look_failed"  # a look got no answer
    WEBHOOK_RECEIVED = "webhook_received"  # a believed delivery
    WEBHOOK_REJECTED = "webhook_rejected"  # a delivery that was not believed
    WEBHOOK_REFUSED = "webhook_refused"  # the gateway would not call our endpoint for a job
    DRIFT_SEEN = "drift_seen"  # the gateway said something that its contract does not foresee, the first time
    RECEIVER_WAS_AWAY = (
        "receiver_was_away"  # nobody took webhooks: the gateway may try again what it could not tell
    )
    NOT_TRIED_AGAIN = "not_tried_again"  # it plans not to: all jobs are looked at as ever
    HANDED_OFF = "handed_off"  # a destination has what was owed to it
    HAND_OFF_FAILED = "hand_off_failed"  # an attempt failed, another follows
    HAND_OFF_BROKE = "hand_off_broke"  # an attempt met a bug of ours; it counts as failed
    HAND_OFF_DEAD = "hand_off_dead"  # no attempt follows
    DESTINATION_AWAY = "destination_away"  # it cannot be used when a worker starts: what is owed to it waits
    DESTINATION_SHUT = "destination_shut"  # it failed too often in a row: what is owed to it waits
    DESTINATION_DISABLED = "destination_disabled"  # it wants nothing any more, until a person enables it
    DESTINATION_OPEN = "destination_open"  # something arrived there again
    SWEPT = "swept"  # what the settings keep no longer was removed
    SEND_FAILED = "send_failed"  # a message could not be sent; the sweep makes up for it
    WORKER_DIED = "worker_died"  # a worker stopped by itself: the process ends, its next start goes on
    DATABASE_GONE = "database_gone"  # the database or its lock was moved or replaced: the process ends
    ALARM_RAISED = "alarm_raised"  # something is wrong with the orchestrator as a whole: somebody should look
    ALARM_CLEARED = "alarm_cleared"  # that is over
    TASK_BROKE = "task_broke"  # a task met a bug of ours; what it had claimed is claimed again
    TIMER_FAILED = "timer_failed"  # something recurrent failed this time; it is tried again
    STORE_FAILED = "store_failed"  # the database could not be used; it is tried again
    API_REQUEST = "api_request"  # somebody was answered by the API, or was gone before
    API_BROKE = "api_broke"  # a request met a bug of ours; it was answered so, or cut
    OUTPUT_FAILED = "output_failed"  # an output could not be given to who has a link to it
    OUTPUT_CUT = "output_cut"  # the same, half-way: the connection was cut, so that nobody takes it for whole
    KEY_MADE = "key_made"  # somebody may call the API with a new key
    KEY_REVOKED = "key_revoked"  # a key is refused from now on
    ACCOUNT_UNUSABLE = "account_unusable"  # a gateway account's secrets cannot be read: its jobs wait
    LIMITS_ALONE = "limits_alone"  # Redis is away: each process counts the requests of tenants for itself
    HOOKS_CHANGED = "hooks_changed"  # webhooks of a channel come otherwise: healthy, degraded, or silent
    ENDINGS_CHANGED = (
        "endings_changed"  # jobs of a class end at other ages now: the earlier ones are forgotten
    )
    ESTIMATE_BROKE = "estimate_broke"  # what was learned about something cannot be read, and is learned anew
    LESSON_BROKE = "lesson_broke"  # what the end of a job taught met a bug of ours, and is not counted
    PROBED = "probed"  # no webhook came for long: some jobs that should have ended are looked at
    RECALLED = "recalled"  # webhooks of a channel stopped: its open jobs follow the guidance again
    PACES_MADE = "paces_made"  # moments to look were chosen anew, by what was learned
    LEASES_FREED = "leases_freed"  # what attempts left behind that lost the database half-way is free again


# Each is there from the start: what first appears with a 1 has not grown, for Prometheus.
_COUNTED = {event: metrics.LOG_EVENTS.labels(event) for event in Event}


def log(event: Event, *, job: str | None = None, level: int = logging.INFO, **facts: Any) -> None:
    """Log one event. Facts are plain values; never pass a secret, a prompt or a body."""
    _COUNTED[event].inc()
    if _LOGGER.isEnabledFor(level):
        named = {"job": job} if job else {}
        _LOGGER.log(level, event, extra={"facts": named | (_REQUEST.get() or {}) | facts})


@contextmanager
def about_request(request_id: str, trace_id: str | None = None) -> Iterator[None]:
    """Every line logged meanwhile has the id of the request that it is about, and of its trace if any."""
    before = _REQUEST.set({"request_id": request_id} | ({"trace_id": trace_id} if trace_id else {}))
    try:
        yield
    finally:
        _REQUEST.reset(before)


def request_id() -> str | None:
    """The id of the request that is being answered."""
    return (_REQUEST.get() or {}).get("request_id")


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.name != "orchestrator":
            line["logger"] = record.name
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _JSON.encode(line)


def configure(level: str) -> None:
    """Send every log line to standard error as JSON."""
    # What no line says is not looked up for each: the caller in the stack, its thread and its process.
    logging._srcfile = None  # as the HOWTO of `logging` has it
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _LOGGER.setLevel(level.upper())
