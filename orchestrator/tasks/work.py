"""The tasks. Each claims what is due until nothing is, and sends what follows after every commit."""

from __future__ import annotations

import logging
from collections.abc import Callable

from celery import Celery

from orchestrator.engine.context import Context
from orchestrator.engine.create import create
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.hand_off import hand_off
from orchestrator.engine.look import look
from orchestrator.engine.sweep import sweep
from orchestrator.errors import StoreError
from orchestrator.tasks.sending import Sender
from orchestrator.telemetry import Event, log

AT_A_TIME = 50  # rounds before a task sends itself again and lets others have the thread

UseCase = Callable[[Context], list[FollowUp] | None]


def register(app: Celery, context: Context, send: Sender) -> Celery:
    """Give the application its tasks; returns it."""

    # Not shared: a process may hold several applications, each with its own context.
    @app.task(name=Task.CREATE, shared=False)
    def create_task() -> None:
        _until_nothing_is_due(Task.CREATE, create, context, send)

    @app.task(name=Task.LOOK, shared=False)
    def look_task() -> None:
        _until_nothing_is_due(Task.LOOK, look, context, send)

    @app.task(name=Task.HAND_OFF, shared=False)
    def hand_off_task() -> None:
        _until_nothing_is_due(Task.HAND_OFF, hand_off, context, send)

    @app.task(name=Task.SWEEP, shared=False)
    def sweep_task() -> None:
        _once(sweep, context, send)

    return app


def _until_nothing_is_due(task: Task, use_case: UseCase, context: Context, send: Sender) -> None:
    for _ in range(AT_A_TIME):
        if not _once(use_case, context, send):
            return
    send([FollowUp(task)])


def _once(use_case: UseCase, context: Context, send: Sender) -> bool:
    """Whether there may be more to do."""
    try:
        follow_ups = use_case(context)
    except StoreError as error:  # what was claimed is claimed again when its lease ends
        log(Event.STORE_FAILED, level=logging.ERROR, error=error.message, hint=error.hint)
        return False
    send(follow_ups or ())
    return follow_ups is not None
