"""Hand-offs: what is owed to destinations, kept in the transaction that made it owed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, exists, select, update

from orchestrator.core.job import HandOff, HandOffKind, HandOffState, Owed
from orchestrator.store.database import Transaction
from orchestrator.store.jobs import unleased
from orchestrator.store.schema import hand_offs


def owe(tx: Transaction, owed: Sequence[Owed]) -> int:
    """Keep what is owed; a key that is already owed stays as it is. Returns how many were new."""
    made = 0
    for one in owed:
        statement = tx.insert(hand_offs).values(
            **asdict(one), state=HandOffState.OWED, attempts=0, fence=0, created_at=tx.now
        )
        made += tx.execute(statement.on_conflict_do_nothing(index_elements=["key"])).rowcount
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


def claim_due(tx: Transaction, *, worker: str, lease: float) -> HandOff | None:
    """Lease the longest due hand-off whose earlier outputs are not still on their way.

    Order matters within a job: a further output is known to be a copy only once the first is hashed.
    """
    earlier = hand_offs.alias()
    blocked = exists().where(
        earlier.c.job_id == hand_offs.c.job_id,
        earlier.c.destination == hand_offs.c.destination,
        earlier.c.output_index < hand_offs.c.output_index,
        earlier.c.state == HandOffState.OWED,
    )
    due = and_(_due(tx, tx.now), unleased(tx, hand_offs.c), ~blocked)
    chosen = select(hand_offs.c.id).where(due).order_by(hand_offs.c.due_at).limit(1)
    claim = (
        update(hand_offs)
        .where(hand_offs.c.id.in_(chosen.with_for_update(skip_locked=True).scalar_subquery()))
        .values(
            leased_by=worker,
            lease_until=tx.now + lease,
            fence=hand_offs.c.fence + 1,
            attempts=hand_offs.c.attempts + 1,
        )
        .returning(*hand_offs.c)
    )
    row = tx.execute(claim).first()
    return _hand_off(row) if row else None


def finish_if_ours(tx: Transaction, claimed: HandOff, changes: Mapping[str, Any]) -> bool:
    """End an attempt, unless the lease went to somebody else since."""
    guard = and_(
        hand_offs.c.id == claimed.id,
        hand_offs.c.fence == claimed.fence,
        hand_offs.c.state == HandOffState.OWED,
    )
    values = {"leased_by": None, "lease_until": None, **changes}
    return tx.execute(update(hand_offs).where(guard).values(**values)).rowcount == 1


def renew_if_ours(tx: Transaction, claimed: HandOff, *, lease: float) -> bool:
    """Hold the lease for longer; False when it went to somebody else."""
    guard = and_(hand_offs.c.id == claimed.id, hand_offs.c.fence == claimed.fence)
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


def due_moments(tx: Transaction, *, until: float, limit: int) -> list[float]:
    """When the next hand-offs are due, soonest first, whoever may do them."""
    query = select(hand_offs.c.due_at).where(_due(tx, until), unleased(tx, hand_offs.c))
    return [row.due_at for row in tx.execute(query.order_by(hand_offs.c.due_at).limit(limit))]


def _due(tx: Transaction, until: float) -> ColumnElement[bool]:
    return and_(hand_offs.c.state == HandOffState.OWED, hand_offs.c.due_at <= until)


def _hand_off(row: Row[Any]) -> HandOff:
    values = dict(row._mapping)
    return HandOff(**values | {"kind": HandOffKind(values["kind"]), "state": HandOffState(values["state"])})
