"""What each attempt at a hand-off led to: the part of a job's timeline that destinations write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, insert, select

from orchestrator.core.job import HandOff
from orchestrator.store.database import Transaction
from orchestrator.store.given import add_rows
from orchestrator.store.schema import attempts

PART = 1_000  # rows that one pruning removes at most
_ADD = insert(attempts)


class Result(StrEnum):
    """How an attempt ended."""

    DONE = "done"  # it is there
    FAILED = "failed"  # it is tried again
    DEAD = "dead"  # given up: the last of all attempts, or one that no other can mend
    MISSING = "missing"  # there is no such output
    LOST = "lost"  # nobody lived to say: its process was killed, or the database was away


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt. `status` and `preview` are of the destination's answer, where it gave one."""

    hand_off_id: int
    destination: str
    key: str
    number: int
    began_at: float
    ended_at: float
    result: Result
    status: int | None = None
    error: str | None = None
    preview: str | None = None


def add(tx: Transaction, claimed: HandOff, result: Result, *, began_at: float, **answer: Any) -> None:
    """Keep how an attempt ended, in the transaction that ends it."""
    tx.execute(_ADD, _row(tx, claimed, result, began_at, answer))


def add_done(tx: Transaction, done: Sequence[tuple[HandOff, float, int | None]]) -> None:
    """The same of several that brought it there: each with when it began, and the status of the answer."""
    rows = [_row(tx, claimed, Result.DONE, at, {"status": status}) for claimed, at, status in done]
    add_rows(tx, attempts, rows)


def _row(
    tx: Transaction, claimed: HandOff, result: Result, began_at: float, answer: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "job_id": claimed.job_id,
        "hand_off_id": claimed.id,
        "destination": claimed.destination,
        "key": claimed.key,
        "number": claimed.attempts,
        "began_at": began_at,
        "ended_at": tx.now,
        "result": result,
        **answer,
    }


def note_if_lost(tx: Transaction, claimed: HandOff) -> None:
    """Keep that the attempt before this one ended in nothing, if nobody has said how it ended."""
    mine = (attempts.c.hand_off_id == claimed.id, attempts.c.number == claimed.attempts - 1)
    # Numbers begin anew with each replay, and with it `created_at`.
    told = select(attempts.c.id).where(*mine, attempts.c.ended_at >= claimed.created_at).limit(1)
    if claimed.attempts > 1 and tx.execute(told).first() is None:
        before = replace(claimed, attempts=claimed.attempts - 1)
        add(tx, before, Result.LOST, began_at=tx.now, error="its process did not live to say how it ended")


def of_job(tx: Transaction, job_id: str) -> list[Attempt]:
    """Every attempt for a job, in the order in which they ended."""
    columns = [attempts.c[name] for name in Attempt.__slots__]
    query = select(*columns).where(attempts.c.job_id == job_id).order_by(attempts.c.id)
    return [Attempt(**dict(row._mapping) | {"result": Result(row.result)}) for row in tx.execute(query)]


def prune(tx: Transaction, *, before: float) -> int:
    """Remove some of those that ended before then. Returns how many."""
    old = select(attempts.c.id).where(attempts.c.ended_at < before).limit(PART)
    return tx.execute(delete(attempts).where(attempts.c.id.in_(old))).rowcount
