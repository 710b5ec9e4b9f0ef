"""Due work of every kind, found and leased in one way.

What is due waits in lines: one a tenant, and for hand-offs one for each destination of a tenant. A claim goes
round the lines that have something due, each after the one before it, so that nobody's backlog holds up the
others. What it costs depends on what is due, not on how many rows there are: the partial indexes of `schema`
hold one line's due times in order.

The statements are built once: putting one together takes SQLAlchemy longer than the database takes to run it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Float,
    Integer,
    Row,
    String,
    Table,
    TextClause,
    and_,
    bindparam,
    func,
    not_,
    or_,
    select,
    true,
    union_all,
    update,
)

from orchestrator.store.database import WORKER_DEAD_AFTER, Transaction
from orchestrator.store.schema import lanes, tenants, workers
from orchestrator.store.workers import can_lease

ROUND = 20  # lines that one claim serves at most; the next claim goes on with the others

_NOW, _ALIVE_SINCE = bindparam("now", type_=Float), bindparam("alive_since", type_=Float)
_UNTIL, _LIMIT = bindparam("until", type_=Float), bindparam("most", type_=Integer)
_LINE, _AFTER = bindparam("line", type_=String), bindparam("after", type_=String)


def moment(tx: Transaction) -> dict[str, float]:
    """The parameters of `unleased`."""
    return {"now": tx.now, "alive_since": tx.now - WORKER_DEAD_AFTER}


def unleased(columns: Any) -> ColumnElement[bool]:
    """True for a row that nobody holds: no lease, one that ran out, or one of a dead worker.

    A statement with it is run with the parameters that `moment` gives.
    """
    alive = select(workers.c.id).where(workers.c.beaten_at > _ALIVE_SINCE)
    return or_(
        columns.leased_by.is_(None),
        columns.lease_until <= _NOW,
        not_(columns.leased_by.in_(alive.scalar_subquery())),
    )


class Waiting:
    """The rows of a table that wait for one kind of work, and the statements that find and lease them.

    `rows` is spelled out, exactly as in the partial index: no planner looks behind a parameter. They wait in
    lines, one for each row of `lines`: tenants, or lanes where it matters whither as well. `only` narrows the
    rows and `served` the lines; values for the parameters in them come with each call. `values` are written
    besides the lease.
    """

    def __init__(
        self,
        name: str,
        table: Table,
        rows: TextClause,
        *,
        lines: Table = tenants,
        only: ColumnElement[bool] | None = None,
        served: ColumnElement[bool] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        columns = table.c
        line = columns.lane if lines is lanes else columns.tenant_id
        due = and_(rows, columns.due_at <= _UNTIL, unleased(columns), true() if only is None else only)
        # Not EXISTS, which a planner may turn into a join that reads every row of the table.
        longest = select(columns.due_at).where(line == lines.c.id, due)
        first = longest.order_by(columns.due_at).limit(1).scalar_subquery()
        some = and_(first.is_not(None), true() if served is None else served)
        # Lines with something due, in turn after the one named; one probe of the index for each line.
        halves = [
            select(lines.c.id).where(half, some).order_by(lines.c.id).limit(ROUND).subquery()
            for half in (lines.c.id > _AFTER, lines.c.id <= _AFTER)
        ]
        self.lines = union_all(*(select(half.c.id) for half in halves)).limit(ROUND)
        self.oldest = select(func.min(first)).select_from(lines).where(some)
        in_line = select(columns.id, columns.due_at).where(line == _LINE, due)
        self.in_line = in_line.order_by(columns.due_at).limit(_LIMIT)
        self.counted = select(func.count()).select_from(self.in_line.subquery())
        chosen = self.in_line.with_for_update(skip_locked=True, key_share=True).cte("chosen")
        held = {
            "leased_by": bindparam("worker", type_=String),
            "lease_until": bindparam("until_then", type_=Float),
            "fence": columns.fence + 1,
            **(values or {}),
        }
        take = update(table).where(columns.id.in_(select(chosen.c.id)))
        self.lease = take.values(**held).returning(*columns)


@dataclass(slots=True)
class Turns:
    """The line that was served last, for each kind of work of one process."""

    last: dict[str, str] = field(default_factory=dict)


def claim(
    tx: Transaction,
    waiting: Waiting,
    turns: Turns,
    *,
    worker: str,
    limit: int,
    lease: float,
    given: Mapping[str, Any] | None = None,
) -> list[Row[Any]]:
    """Lease up to `limit` due rows for `lease` seconds, each line's longest due first.

    Rows that another claim holds at this moment are passed over, not waited for. `given` are the values of
    the parameters in what narrows the rows and the lines.
    """
    known = {**moment(tx), "until": tx.now, **(given or {})}
    found = _with_due(tx, waiting, turns.last.get(waiting.name, ""), known)
    if found and not can_lease(tx, worker):
        return []  # what it took, the next one would take as well
    known |= {"worker": worker, "until_then": tx.now + lease}
    claimed: list[Row[Any]] = []
    while found and len(claimed) < limit:
        have_more = []
        for position, line in enumerate(found):
            share = ceil((limit - len(claimed)) / (len(found) - position))
            if share == 0:
                break
            rows = tx.execute(waiting.lease, known | {"line": line, "most": share}).all()
            claimed += rows
            if rows:
                turns.last[waiting.name] = line
            if rows and len(rows) == share:
                have_more.append(line)
        found = have_more  # what the others left of their shares
    return sorted(claimed, key=lambda row: float(row.due_at))


def moments(
    tx: Transaction, waiting: Waiting, *, until: float, limit: int, given: Mapping[str, Any] | None = None
) -> list[float]:
    """When the next rows are due, soonest first, whoever may do them: `limit` a line at most.

    Of more than `ROUND` lines the others are left out: whoever comes for the first ones goes on with them.
    """
    known = {**moment(tx), "until": until, **(given or {})}
    found: list[float] = []
    for line in _with_due(tx, waiting, "", known):
        soon = tx.execute(waiting.in_line, known | {"line": line, "most": limit})
        found += [row.due_at for row in soon]
    return sorted(found)


def oldest(tx: Transaction, waiting: Waiting, *, given: Mapping[str, Any] | None = None) -> float | None:
    """Since when the longest due row waits for somebody to take it, or None when none does."""
    due_at: float | None = tx.execute(
        waiting.oldest, {**moment(tx), "until": tx.now, **(given or {})}
    ).scalar()
    return due_at


def count(tx: Transaction, waiting: Waiting, *, most: int, given: Mapping[str, Any] | None = None) -> int:
    """How many rows wait for somebody to take them, `most` a line at most, of `ROUND` lines."""
    known = {**moment(tx), "until": tx.now, **(given or {})}
    lines = _with_due(tx, waiting, "", known)
    return sum(tx.execute(waiting.counted, known | {"line": one, "most": most}).scalar_one() for one in lines)


def _with_due(tx: Transaction, waiting: Waiting, after: str, known: Mapping[str, Any]) -> list[str]:
    return [row.id for row in tx.execute(waiting.lines, {**known, "after": after})]
