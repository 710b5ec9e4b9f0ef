"""What was told of jobs until now, for whoever follows them, and whether anything is still to come."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.core.access import Caller
from orchestrator.core.lifecycle import SETTLED
from orchestrator.engine import reading, standing
from orchestrator.engine.context import Context
from orchestrator.errors import Forbidden
from orchestrator.store import events
from orchestrator.store.events import START, Entry, Position

PAGE = 500  # events that one transaction reads


@dataclass(frozen=True, slots=True)
class Page:
    """Some events, in order. `more`: there are more. `settled`: of one job, whether it has ended, however.

    `over`: nothing more will be told of it that concerns whoever asks.
    """

    entries: list[Entry]
    more: bool
    settled: bool = False
    over: bool = False


def has(context: Context, caller: Caller, job_id: str, seq: int) -> bool:
    """Whether a job has, or had, an event of this number, or it is 0. Raises NotFound."""
    with context.store.read() as tx:
        return seq <= events.last(tx, reading.visible(tx, caller, job_id).id)


def of_job(context: Context, caller: Caller, job_id: str, *, after: int) -> Page:
    """A job's events after a number. Raises NotFound."""
    with context.store.read() as tx:
        job = reading.visible(tx, caller, job_id)
        found = events.of_job(tx, job_id, after=after, limit=PAGE)
        more, settled = len(found) == PAGE, job.state in SETTLED
        if more or not settled:
            return Page(found, more, settled)
        stands = standing.of_jobs(tx, [job])[0]
        # Where else its results go is nothing that the holder of a token is told.
        return Page(found, more, settled, stands.ready if caller.by_token else stands.over)


def of_tenant(context: Context, caller: Caller, end_user: str | None, *, after: Position) -> Page:
    """The events of a tenant after a position, as far as they are settled."""
    with context.store.read() as tx:
        found = events.of_tenant(tx, caller.tenant_id, end_user=end_user, after=after, limit=PAGE)
    return Page(found, len(found) == PAGE)


def whose(caller: Caller, end_user: str | None) -> str | None:
    """The end user of whose jobs alone a caller is told, None for all jobs. Raises Forbidden."""
    if caller.job_id is not None:
        raise Forbidden(
            "this token is for one job", hint=f"follow it at /v1/jobs/{caller.job_id}/events instead"
        )
    if caller.end_user is not None and end_user not in (None, caller.end_user):
        raise Forbidden("this token is for another end user", hint="leave `end_user` out")
    return end_user if caller.end_user is None else caller.end_user


def begin(context: Context, known: Position | None, *, from_start: bool) -> Position:
    """Where somebody goes on who knows everything up to a position, or begins who knows nothing."""
    with context.store.read() as tx:
        if known is not None:
            return events.known(tx, known)
        return START if from_start else events.now(tx)
