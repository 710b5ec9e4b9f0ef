"""The tasks. Each claims what is due until nothing is, and sends what follows after every commit."""

from __future__ import annotations

import threading
from functools import partial

from celery import Celery

from orchestrator.engine.context import Context
from orchestrator.engine.create import create
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.hand_off import hand_off
from orchestrator.engine.housekeeping import keep_house
from orchestrator.engine.learning import GATHERED_FOR, learn
from orchestrator.engine.look import look
from orchestrator.engine.open_evidence import count_open
from orchestrator.engine.recalling import recall
from orchestrator.engine.sweep import sweep
from orchestrator.tasks.once import UseCase, once
from orchestrator.tasks.sending import Sender

AT_A_TIME = 50  # rounds before a task sends itself again and lets others have the thread

_CLAIMS: dict[Task, UseCase] = {Task.CREATE: create, Task.LOOK: look, Task.HAND_OFF: hand_off}


def register(app: Celery, context: Context, send: Sender, stopping: threading.Event | None = None) -> Celery:
    """Give the application its tasks; returns it. Once `stopping` is set they begin nothing new."""
    stop = stopping or threading.Event()

    # Not shared: a process may hold several applications, each with its own context.
    @app.task(name=Task.CREATE, shared=False)
    def create_task() -> None:
        perform(Task.CREATE, context, send, stop)

    @app.task(name=Task.LOOK, shared=False)
    def look_task() -> None:
        perform(Task.LOOK, context, send, stop)

    @app.task(name=Task.HAND_OFF, shared=False)
    def hand_off_task() -> None:
        perform(Task.HAND_OFF, context, send, stop)

    @app.task(name=Task.SWEEP, shared=False)
    def sweep_task(from_beat: bool = False) -> None:
        perform(Task.SWEEP, context, send, from_beat=from_beat)

    return app


def perform(
    task: Task,
    context: Context,
    send: Sender,
    stopping: threading.Event | None = None,
    *,
    from_beat: bool = False,
) -> None:
    """Do one kind of work until nothing of it is due, or `stopping` is set."""
    if task is Task.SWEEP:
        swept, learned = partial(sweep, from_beat=from_beat), partial(learn, gathered_for=GATHERED_FOR)
        for use_case in (swept, learned, recall, count_open, keep_house):
            once(use_case, context, send)
        return
    for _ in range(AT_A_TIME):
        if stopping is not None and stopping.is_set():
            return  # what is due stays due: others take it
        if not once(_CLAIMS[task], context, send):
            return
    send([FollowUp(task)])
