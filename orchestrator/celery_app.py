"""The Celery application: every setting of it, with the reason beside it."""

from __future__ import annotations

from typing import Any

from celery import Celery

EMBEDDED = "memory://localhost/"

# Queues by purpose, so that slow hand-offs never starve looks or creates.
QUEUES = ("create", "look", "hand_off", "sweep")

SETTINGS: dict[str, Any] = {
    # Rows are the truth: a result would tell nobody anything.
    "task_ignore_result": True,
    "result_backend": None,
    # A message names no job, so one that is lost or doubled is made up for by the sweep or by the claim.
    "task_acks_late": False,
    # Fetch little ahead: a message that waits behind a long task could be running elsewhere.
    "worker_prefetch_multiplier": 1,
    "task_routes": {queue: {"queue": queue} for queue in QUEUES},
    "task_create_missing_queues": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    # A publish that fails is not repeated for long: the sweep repairs, a blocked thread does not.
    "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0.1},
    "broker_connection_retry_on_startup": True,
    # Announcements between workers, of no use here.
    "worker_send_task_events": False,
    "worker_enable_remote_control": False,
    # Logs are ours: one JSON line each.
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    # The in-memory transport polls, and the default of a second would be most of a job's latency.
    "broker_transport_options": {"polling_interval": 0.005},
    # How exactly countdowns are kept; the default of a second is too coarse for short ones.
    "worker_timer_precision": 0.05,
    "enable_utc": True,
}


def make_app(broker_url: str = EMBEDDED) -> Celery:
    """A Celery application on this broker, without tasks yet."""
    app = Celery("orchestrator", broker=broker_url, set_as_current=False)
    app.conf.update(SETTINGS)
    return app
