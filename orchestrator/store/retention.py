"""What may be removed by its age: outputs from the archive, and whole jobs. Nothing that is still owed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, select, update

from orchestrator.core.events import Lost, Told
from orchestrator.core.job import HandOffState
from orchestrator.core.lifecycle import SETTLED, State
from orchestrator.store import events
from orchestrator.store import jobs as held_jobs
from orchestrator.store.database import Transaction
from orchestrator.store.schema import ARCHIVED, hand_offs, jobs, outputs

PART = 200  # rows that one step removes at most


@dataclass(frozen=True, slots=True)
class Found:
    """So many things, of so many bytes as the archive counts them; equal content is kept once only."""

    count: int
    bytes: int = 0


def count_outputs(tx: Transaction, *, before: float, states: Collection[State]) -> Found:
    """What `purge_outputs` would take out of the archive in the end."""
    told = func.count().label("outputs"), func.coalesce(func.sum(outputs.c.bytes), 0).label("size")
    row = tx.execute(select(*told).where(_old_outputs(before, states))).one()
    return Found(row.outputs, int(row.size))


def purge_outputs(tx: Transaction, *, before: float, states: Collection[State]) -> int:
    """Note some outputs as purged; their content is unused from then on. Returns how many."""
    some = select(outputs.c.job_id, outputs.c.index).where(_old_outputs(before, states))
    oldest = some.order_by(outputs.c.archived_at)  # as the index has them
    found = sorted((row["job_id"], row["index"]) for row in tx.execute(oldest.limit(PART)).mappings())
    for job_id, index in found:
        _purge_output(tx, job_id, index, _old_outputs(before, states))
    return len(found)


def _purge_output(tx: Transaction, job_id: str, index: int, still_old: ColumnElement[bool]) -> None:
    """Note one as purged, unless it was replayed in between and is owed."""
    job = held_jobs.lock_if_there(tx, job_id)
    one = and_(outputs.c.job_id == job_id, outputs.c.index == index, still_old)
    gone = tx.execute(update(outputs).where(one).values(archived_at=None, purged_at=tx.now)).rowcount
    if job is not None and gone:
        events.append(tx, job, Told.OUTPUT_LOST, {"index": index, "reason": Lost.PURGED})


def count_jobs(tx: Transaction, *, before: float, states: Collection[State]) -> Found:
    """How many jobs `purge_jobs` would remove in the end."""
    query = select(func.count()).select_from(jobs).where(_old_jobs(before, states))
    return Found(tx.execute(query).scalar_one())


def purge_jobs(tx: Transaction, *, before: float, states: Collection[State]) -> int:
    """Remove some jobs with everything that is kept about them. Returns how many."""
    old = select(jobs.c.id).where(_old_jobs(before, states)).order_by(jobs.c.accepted_at).limit(PART)
    # Held, as whoever replays holds the job; and asked again, since what was replayed in between is owed.
    held = select(jobs.c.id).where(jobs.c.id.in_(old)).order_by(jobs.c.id).with_for_update()
    ids = [row.id for row in tx.execute(held)]
    return tx.execute(delete(jobs).where(jobs.c.id.in_(ids), _nothing_owed(jobs.c.id))).rowcount


def _old_outputs(before: float, states: Collection[State]) -> ColumnElement[bool]:
    # Looked up for each old output: a planner would turn a join or EXISTS into a reading of all jobs.
    ended = (jobs.c.id == outputs.c.job_id, jobs.c.state.in_(_settled(states)))
    settled_at = select(jobs.c.settled_at).where(*ended).scalar_subquery()
    return and_(
        ARCHIVED, outputs.c.archived_at < before, settled_at < before, _nothing_owed(outputs.c.job_id)
    )


def _old_jobs(before: float, states: Collection[State]) -> ColumnElement[bool]:
    # By both: one of them has an index, and a job is not settled before it was accepted.
    old = and_(jobs.c.accepted_at < before, jobs.c.settled_at < before)
    return and_(old, jobs.c.state.in_(_settled(states)), jobs.c.detail_tries == 0, _nothing_owed(jobs.c.id))


def _nothing_owed(job_id: Any) -> ColumnElement[bool]:
    owed = (hand_offs.c.job_id == job_id, hand_offs.c.state == HandOffState.OWED)
    return select(hand_offs.c.id).where(*owed).limit(1).scalar_subquery().is_(None)


def _settled(states: Collection[State]) -> list[State]:
    return [state for state in states if state in SETTLED]
