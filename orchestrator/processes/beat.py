"""`orchestrator beat`: asks for a sweep every second. It keeps nothing, so two of them do no harm."""

from __future__ import annotations

import logging
import threading
from typing import Any

from celery.beat import ScheduleEntry, Scheduler, SchedulingError, Service

from orchestrator import metrics
from orchestrator.celery_app import make_app, patient
from orchestrator.engine.follow_up import Task
from orchestrator.processes.broker import broker_url
from orchestrator.processes.exposing import exposing
from orchestrator.processes.stopping import stop_signal
from orchestrator.settings import Settings
from orchestrator.telemetry import Event, log

SWEEP_EVERY = 1.0
EXPIRES_AFTER = 5  # seconds: a backlog of sweeps evaporates, the latest one does all their work
STOP_WITHIN = 10.0
_NOT_SENT = "the broker did not take the last message; until it does, the workers sweep by themselves"


class _Scheduler(Scheduler):
    """Says in one line that a message could not be sent; Celery's says it in two hundred, every second."""

    connection: Any
    sends = False  # whether the broker took the last message

    def _ensure_connected(self) -> Any:
        patient(self.connection)
        return super()._ensure_connected()  # type: ignore[misc]  # not in its stubs

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send; the next one is due in a second anyway."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
            self.sends = True
            metrics.MESSAGES.labels(entry.task, "sent").inc()
        except SchedulingError as error:
            self.sends = False
            metrics.MESSAGES.labels(entry.task, "failed").inc()
            log(Event.SEND_FAILED, level=logging.WARNING, task=entry.task, error=str(error))


def beat(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises SettingError where there is no broker."""
    stopping = stop_signal()
    app = make_app(broker_url(settings), publishes=True)
    app.conf.beat_schedule = {
        "sweep": {
            "task": Task.SWEEP,
            "schedule": SWEEP_EVERY,
            "kwargs": {"from_beat": True},
            "options": {"expires": EXPIRES_AFTER},
        }
    }
    # Celery's own default keeps a file of when it last ran: of no use to a schedule of one second.
    service = Service(app, scheduler_cls=_Scheduler)
    ticking = threading.Thread(target=service.start, name="beat", daemon=True)
    with exposing(settings, "beat") as exposed:
        exposed.lacking = lambda: () if getattr(service.scheduler, "sends", False) else (_NOT_SENT,)
        ticking.start()
        log(Event.STARTED, every=SWEEP_EVERY, **exposed.told)
        while not stopping.wait(SWEEP_EVERY):
            if not ticking.is_alive():
                raise RuntimeError("celery's beat ended by itself")  # the supervisor starts it anew
        service.stop()
        ticking.join(STOP_WITHIN)
    log(Event.STOPPED)
