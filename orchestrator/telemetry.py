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
    STOPPED = "stopped"  # a process has stopped in order
    JOB_ACCEPTED = "job_accepted"  # a job was submitted and stored
    JOB_MOVED = "job_moved"  # a job changed its state
    JOB_CLASH = "job_clash"  # something contradicts a settled job
    CREATE_HELD = "create_held"  # a tenant has reached a limit: its further creates wait
    TENANT_RELEASED = "tenant_released"  # that is over
    CREATE_UNCERTAIN = "create_uncertain"  # a create call may or may not have made a paid job
    NEEDS_PERSON = "needs_person"  # an uncertain create waits for `orchestrator resolve`
    LOOK_BROKE = "look_broke"  # an answer to a look hit a bug of ours; the other looks go on
    SWEEP_BROKE = "sweep_broke"  # a sweep hit a bug of ours with one job; the other jobs go on
    LOOK_FAILED = "look_failed"  # a look got no answer
    WEBHOOK_RECEIVED = "webhook_received"  # a webhook was verified and stored
    WEBHOOK_REJECTED = "webhook_rejected"  # a webhook could not be verified
    WEBHOOK_REFUSED = "webhook_refused"  # the gateway would not call our endpoint for a job
    DRIFT_SEEN = "drift_seen"  # the gateway said something new, for the first time
    RECEIVER_WAS_AWAY = "receiver_was_away"  # no receiver ran for a while; the gateway may deliver again
    NOT_TRIED_AGAIN = "not_tried_again"  # it does not plan to: all jobs are looked at as usual
    HANDED_OFF = "handed_off"  # a destination has received what was owed to it
    HAND_OFF_FAILED = "hand_off_failed"  # an attempt failed; another one follows
    HAND_OFF_BROKE = "hand_off_broke"  # an attempt hit a bug of ours; it counts as failed
    HAND_OFF_DEAD = "hand_off_dead"  # an attempt failed; no other one follows
    DESTINATION_AWAY = (
        "destination_away"  # a destination cannot be used when a worker starts: its hand-offs wait
    )
    DESTINATION_SHUT = "destination_shut"  # a destination failed too often in a row: its hand-offs wait
    DESTINATION_DISABLED = (
        "destination_disabled"  # a destination wants nothing more, until a person enables it
    )
    DESTINATION_OPEN = "destination_open"  # a destination works again
    SWEPT = "swept"  # what was older than the settings allow was deleted
    SEND_FAILED = "send_failed"  # a message could not be sent; a sweep makes up for it
    WORKER_DIED = "worker_died"  # a worker stopped by itself: the process ends, and its next start goes on
    DATABASE_GONE = "database_gone"  # the database or its lock was moved or replaced: the process ends
    ALARM_RAISED = "alarm_raised"  # something is wrong with the orchestrator as a whole: somebody should look
    ALARM_CLEARED = "alarm_cleared"  # that is over
    TASK_BROKE = "task_broke"  # a task hit a bug of ours; its work is claimed again
    TIMER_FAILED = "timer_failed"  # something periodic fails; it is tried again. Told once, then each minute
    COMMIT_SPLIT = "commit_split"  # requests could not share a transaction: each gets its own
    STORE_FAILED = "store_failed"  # the database could not be used; it is tried again
    API_REQUEST = "api_request"  # a request to the API was answered, or its client left
    API_BROKE = "api_broke"  # a request hit a bug of ours; it got a 500, or was cut off
    OUTPUT_FAILED = "output_failed"  # an output could not be served to somebody with a link
    OUTPUT_CUT = (
        "output_cut"  # the same, half-way: the connection was cut, so that nobody takes it for complete
    )
    KEY_MADE = "key_made"  # a new API key was made
    KEY_REVOKED = "key_revoked"  # an API key was revoked
    ACCOUNT_UNUSABLE = "account_unusable"  # a gateway account's secrets cannot be read: its jobs wait
    LIMITS_ALONE = "limits_alone"  # Redis is away: each process counts the requests of tenants by itself
    HOOKS_CHANGED = "hooks_changed"  # webhooks of an endpoint and provider became healthy, degraded or silent
    ENDINGS_CHANGED = (
        "endings_changed"  # jobs of a class take a different time now: what was learned before is forgotten
    )
    ESTIMATE_BROKE = "estimate_broke"  # something that was learned cannot be read; it is learned again
    LESSON_BROKE = "lesson_broke"  # learning from the end of a job hit a bug of ours; that job is not counted
    PROBED = "probed"  # no webhook came for long: some jobs that should have ended are looked at
    RECALLED = "recalled"  # webhooks stopped: the jobs that relied on them follow the guidance again
    PACES_MADE = "paces_made"  # the times to look were chosen again, from what was learned
    LIBRARY_SAID = "library_said"  # a warning of a library that we use: `logger` says whose, `message` what
    LEASES_FREED = (
        "leases_freed"  # leases left behind by attempts that lost the database half-way were released
    )


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
            **_named(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _JSON.encode(line)


def _named(record: logging.LogRecord) -> dict[str, Any]:
    """Its event and its facts. What a library says is no name of an event: no query could find it."""
    if record.name == "orchestrator":
        return {"event": record.getMessage(), **getattr(record, "facts", {})}
    return {"event": Event.LIBRARY_SAID, "logger": record.name, "message": record.getMessage()}


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
