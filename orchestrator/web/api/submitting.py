"""What is submitted: requests of one job each share a transaction with those of the same moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from contextvars import Context as Within
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial

from orchestrator.core.access import Caller
from orchestrator.engine import reading, submit
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.engine.standing import Standing
from orchestrator.engine.submit import Kept, Once, Submission
from orchestrator.errors import RequestError
from orchestrator.web.api import asked
from orchestrator.web.group_commit import GroupCommit
from orchestrator.wire.jobs import NewJob, NewJobs

Answer = tuple[Kept, list[Standing]]
Send = Callable[[Iterable[FollowUp]], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to submit, and where its log lines belong."""

    caller: Caller
    body: NewJob | NewJobs
    once: Once | None
    traceparent: str | None
    within: Within = field(default_factory=copy_context)

    def wanted(self, context: Context) -> list[Submission]:
        """Its jobs. Raises RequestError."""
        return asked.submissions(self.caller, self.body, context.destinations, self.traceparent)


def submissions(context: Context, send: Send, threads: Executor) -> GroupCommit[Asked, Answer]:
    """Keeps what is asked; what follows is sent after its commit."""
    together, alone = partial(_together, context, send), partial(_alone, context, send)
    return GroupCommit(together, alone, threads, again=False)  # or there might be two jobs


def _together(context: Context, send: Send, some: Sequence[Asked]) -> list[Answer | None]:
    sound: dict[int, tuple[Submission, Once | None]] = {}
    for number, one in enumerate(some):
        if isinstance(one.body, NewJobs):
            continue  # as many as that are a transaction of their own
        try:
            (wanted,) = one.wanted(context)
        except RequestError:
            continue
        sound[number] = (wanted, one.once)
    together = submit.keep_together(context, list(sound.values()), by_itself=len(some) == 1)
    kept = dict(zip(sound, together, strict=True))
    for number, its in kept.items():
        if its is not None:
            some[number].within.run(submit.tell, context, its)
    send([follow_up for its in kept.values() if its for follow_up in its.follow_ups])
    return [_answer(context, one, kept.get(number)) for number, one in enumerate(some)]


def _answer(context: Context, one: Asked, kept: Kept | None) -> Answer | None:
    return None if kept is None else (kept, reading.kept(context, one.caller.tenant_id, kept))


def _alone(context: Context, send: Send, one: Asked) -> Answer:
    def keep() -> Answer:
        kept = submit.keep(context, one.wanted(context), one.once)
        send(kept.follow_ups)
        return kept, reading.kept(context, one.caller.tenant_id, kept)

    return one.within.run(keep)
