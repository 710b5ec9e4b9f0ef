"""Hand-offs: what is owed to destinations, kept in the transaction that made it owed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, exists, select, update

from orchestrator.core.job import HandOff, HandOffKind, HandOffState, Owed
from orchestrator.store import due
from orchestrator.store.database import Transaction
from orchestrator.store.due import Turns, Waiting
from orchestrator.store.schema import HAND_OFFS_DUE, hand_offs, jobs

_NOT_THERE = hand_offs.c.destination.not_in(bindparam("without", expanding=True))
# Order matters within a job: a further output is known to be a copy only once the first is hashed.
# So none is taken while an earlier output of the job is still on its way.
_EARLIER = hand_offs.alias()
_BLOCKED = exists().where(
    _EARLIER.c.job_id == hand_offs.c.job_id,
    _EARLIER.c.destination == hand_offs.c.destination,
    _EARLIER.c.output_index < hand_offs.c.output_index,
    _EARLIER.c.state == HandOffState.OWED,
)
HAND_OFFS = Waiting(
    "hand_off",
    hand_offs,
    HAND_OFFS_DUE,
    only=and_(~_BLOCKED, _NOT_THERE),
    values={"attempts": hand_offs.c.attempts + 1},
)


def owe(tx: Transaction, owed: Sequence[Owed]) -> int:
    """Keep what is owed; a key that is already owed stays as it is. Returns how many were new.

    One that was withdrawn is owed again: a job that was adopted after its deadline can time out once more.
    """
    made = 0
    for one in owed:
        tenant = select(jobs.c.tenant_id).where(jobs.c.id == one.job_id).scalar_subquery()
        statement = tx.insert(hand_offs).values(
            **asdict(one), tenant_id=tenant, state=HandOffState.OWED, attempts=0, fence=0, created_at=tx.now
        )
        anew = {"state": HandOffState.OWED, "due_at": one.due_at, "created_at": tx.now, "attempts": 0}
        gone = hand_offs.c.state == HandOffState.WITHDRAWN
        new = statement.on_conflict_do_update(index_elements=["key"], set_=anew, where=gone)
        made += len(tx.execute(new.returning(hand_offs.c.id)).all())
    return made


def owe_outcome(tx: Transaction, job_id: str, outcome: str, destination: str) -> int:
    """Owe how a job ended to one destination, now. Returns how many were new."""
    key = f"{job_id}/{outcome}/{destination}"
    return owe(tx, [Owed(key, job_id, HandOffKind.OUTCOME, destination, tx.now, outcome=outcome)])


def get(tx: Transaction, hand_off_id: int) -> HandOff | None:
    """One hand-off."""
    row = tx.execute(select(hand_offs).where(hand_offs.c.id == hand_off_id)).first()
    return _hand_off(row) if row else None


def of_job(tx: Transaction, job_id: str) -> list[HandOff]:
    """Everything owed for a job, in the order it became owed."""
    query = select(hand_offs).where(hand_offs.c.job_id == job_id).order_by(hand_offs.c.id)
    return [_hand_off(row) for row in tx.execute(query)]


def claim_due(
    tx: Transaction,
    *,
    worker: str,
    lease: float,
    turns: Turns | None = None,
    without: Collection[str] = (),
) -> HandOff | None:
    """Lease the longest due hand-off of the tenant whose turn it is, none to a destination in `without`."""
    given = {"without": list(without)}
    rows = due.claim(tx, HAND_OFFS, turns or Turns(), worker=worker, limit=1, lease=lease, given=given)
    return _hand_off(rows[0]) if rows else None


def finish_if_ours(tx: Transaction, claimed: HandOff, changes: Mapping[str, Any]) -> bool:
    """End an attempt, unless the lease went to somebody else since."""
    guard = and_(_held_by(claimed), hand_offs.c.state == HandOffState.OWED)
    values = {"leased_by": None, "lease_until": None, **changes}
    return tx.execute(update(hand_offs).where(guard).values(**values)).rowcount == 1


def renew_if_ours(tx: Transaction, claimed: HandOff, *, lease: float) -> bool:
    """Hold the lease for longer; False when it went to somebody else."""
    guard = _held_by(claimed)
    return tx.execute(update(hand_offs).where(guard).values(lease_until=tx.now + lease)).rowcount == 1


def hasten(tx: Transaction, job_id: str) -> int:
    """Make everything still owed for a job due now. Returns how much that is."""
    guard = and_(hand_offs.c.job_id == job_id, hand_offs.c.state == HandOffState.OWED)
    return tx.execute(update(hand_offs).where(guard).values(due_at=tx.now)).rowcount


def revive(tx: Transaction, hand_off_id: int) -> bool:
    """Make a hand-off that was given up owed again, with all its attempts before it; False if it was not."""
    given_up = hand_offs.c.state.in_([HandOffState.DEAD, HandOffState.MISSING])
    guard = and_(hand_offs.c.id == hand_off_id, given_up)
    again = {"state": HandOffState.OWED, "due_at": tx.now, "created_at": tx.now, "attempts": 0}
    return tx.execute(update(hand_offs).where(guard).values(**again)).rowcount == 1


def withdraw(tx: Transaction, job_id: str) -> int:
    """Take back what is still owed for a job: its caller cancelled."""
    guard = and_(hand_offs.c.job_id == job_id, hand_offs.c.state == HandOffState.OWED)
    gone = {"state": HandOffState.WITHDRAWN, "due_at": None, "fence": hand_offs.c.fence + 1}
    return tx.execute(update(hand_offs).where(guard).values(**gone)).rowcount


def due_moments(tx: Transaction, *, until: float, limit: int, without: Collection[str] = ()) -> list[float]:
    """When the next hand-offs are due, soonest first, but for those to a destination in `without`."""
    return due.moments(tx, HAND_OFFS, until=until, limit=limit, given={"without": list(without)})


def due_since(tx: Transaction, *, without: Collection[str] = ()) -> float | None:
    """Since when the longest due hand-off waits for a worker, or None when none does."""
    return due.oldest(tx, HAND_OFFS, given={"without": list(without)})


def _held_by(claimed: HandOff) -> ColumnElement[bool]:
    """Whether the lease is still that one: a fence alone may have been given out twice."""
    return and_(
        hand_offs.c.id == claimed.id,
        hand_offs.c.fence == claimed.fence,
        hand_offs.c.leased_by == claimed.leased_by,
    )


def _hand_off(row: Row[Any]) -> HandOff:
    values = dict(row._mapping)
    return HandOff(**values | {"kind": HandOffKind(values["kind"]), "state": HandOffState(values["state"])})
