"""How many there are of something, for whoever looks at everything: counted along an index, up to a bound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, distinct, func, literal, select, union_all

from orchestrator.core.lifecycle import OPEN, State
from orchestrator.store.database import Transaction
from orchestrator.store.due import moment, unleased
from orchestrator.store.ledger import Sums, day_of
from orchestrator.store.schema import (
    CREATES_DUE,
    DEAD_LETTERS,
    HAND_OFFS_DUE,
    LOOKS_DUE,
    SPENT,
    hand_offs,
    jobs,
    lanes,
    ledger,
)

COUNTED = 10_000
COUNTED_LATE = 1_000  # of what waits too long: of each it must be seen whether somebody works on it
SUMMED = 100_000  # jobs whose cost is summed at most: all that is read of each is in an index

Whose = Sequence[str]  # tenants: by name, also where all are meant, since each index begins with them


@dataclass(frozen=True, slots=True)
class Count:
    """So many, or more than so many."""

    many: int
    more: bool = False

    def __bool__(self) -> bool:
        return self.many > 0


@dataclass(frozen=True, slots=True)
class Owed:
    """Hand-offs that a destination is owed, and of how many jobs; as far as they were counted."""

    by_destination: Mapping[str, int]
    total: Count
    jobs: Count


@dataclass(frozen=True, slots=True)
class Cost:
    """What a tenant's jobs cost: the sum, of how many jobs, and how many did not tell it."""

    usd: float
    known: int
    untold: int


def in_states(tx: Transaction, whose: Whose) -> dict[State, Count]:
    """How many jobs are open, by where they stand."""
    by_state = {
        state: select(literal(1)).where(jobs.c.tenant_id.in_(whose), jobs.c.state == state)
        for state in sorted(OPEN)
    }
    return _counted(tx, by_state)


def awaiting_person(tx: Transaction, whose: Whose) -> Count:
    """Uncertain creates that a person must settle."""
    these = (jobs.c.tenant_id.in_(whose), jobs.c.state == State.UNCERTAIN, jobs.c.needs_person.is_(True))
    return _counted(tx, {"them": select(literal(1)).where(*these)})["them"]


def behind(tx: Transaction, whose: Whose, *, since: float, held: Iterable[str]) -> dict[str, Count]:
    """What has been due since before then and nobody works on, by kind; creates of held tenants are not."""
    going = [one for one in whose if one not in set(held)]
    jobs_of = [select(literal(1)).where(jobs.c.due_at <= since, unleased(jobs.c))] * 2
    lines = select(lanes.c.id).where(lanes.c.tenant_id.in_(whose))
    late = (hand_offs.c.due_at <= since, unleased(hand_offs.c))
    kinds = {
        "create": jobs_of[0].where(CREATES_DUE, jobs.c.tenant_id.in_(going)),
        "look": jobs_of[1].where(LOOKS_DUE, jobs.c.tenant_id.in_(whose)),
        "hand_off": select(literal(1)).where(HAND_OFFS_DUE, hand_offs.c.lane.in_(lines), *late),
    }
    return _counted(tx, kinds, moment(tx), most=COUNTED_LATE)


def owed(tx: Transaction, whose: Whose) -> Owed:
    """What is owed to destinations and to the archive; not what waits for the archive first."""
    lines = select(lanes.c.id).where(lanes.c.tenant_id.in_(whose))
    some = select(hand_offs.c.destination, hand_offs.c.job_id)
    sample = some.where(HAND_OFFS_DUE, hand_offs.c.lane.in_(lines)).limit(COUNTED + 1).cte("sample")
    jobs_of_all = select(func.count(distinct(sample.c.job_id))).scalar_subquery()
    counts = func.count().label("many"), jobs_of_all.label("jobs")
    rows = tx.execute(select(sample.c.destination, *counts).group_by(sample.c.destination)).all()
    by_destination = {row.destination: int(row.many) for row in rows}
    total = _count(sum(by_destination.values()))
    return Owed(by_destination, total, Count(int(rows[0].jobs) if rows else 0, total.more))


def dead(tx: Transaction, whose: Whose) -> tuple[dict[str, int], Count]:
    """Hand-offs that were given up, by destination and altogether, as far as they were counted."""
    some = select(hand_offs.c.destination).where(DEAD_LETTERS, hand_offs.c.tenant_id.in_(whose))
    sample = some.limit(COUNTED + 1).subquery()
    rows = tx.execute(select(sample.c.destination, func.count().label("many")).group_by(sample.c.destination))
    by_destination = {row.destination: int(row.many) for row in rows}
    return by_destination, _count(sum(by_destination.values()))


def costs(tx: Transaction, whose: Whose, *, since: float) -> tuple[dict[str, Cost], bool]:
    """What the jobs accepted since then cost, by tenant, and whether there are more than were summed."""
    recent = (jobs.c.tenant_id.in_(whose), jobs.c.accepted_at > since, SPENT)
    some = select(jobs.c.tenant_id, jobs.c.cost_usd).where(*recent).limit(SUMMED + 1).subquery()
    sums = (
        func.coalesce(func.sum(some.c.cost_usd), 0.0).label("usd"),
        func.count(some.c.cost_usd).label("known"),
        func.count().label("jobs"),
    )
    rows = tx.execute(select(some.c.tenant_id, *sums).group_by(some.c.tenant_id)).all()
    found = {row.tenant_id: Cost(float(row.usd), row.known, row.jobs - row.known) for row in rows}
    return found, sum(row.jobs for row in rows) > SUMMED


def ledger_by_day(tx: Transaction, whose: Whose, *, since_day: int) -> dict[int, Sums]:
    """What looking cost, by day, over all models."""
    names = list(Sums.__slots__)
    sums = [func.sum(ledger.c[name]).label(name) for name in names]
    these = (ledger.c.tenant_id.in_(whose), ledger.c.day >= since_day)
    rows = tx.execute(select(ledger.c.day, *sums).where(*these).group_by(ledger.c.day))
    return {row.day: Sums(*(getattr(row, name) for name in names)) for row in rows}


def models(tx: Transaction, whose: Whose, *, limit: int) -> list[str]:
    """Models of which jobs ended lately, by name."""
    recent = (ledger.c.tenant_id.in_(whose), ledger.c.day >= day_of(tx.now) - 30)
    some = select(ledger.c.model).where(*recent).limit(COUNTED).subquery()
    query = select(some.c.model).distinct().order_by(some.c.model).limit(limit)
    return [one for one in tx.execute(query).scalars() if one]


def _counted(
    tx: Transaction,
    queries: Mapping[Any, Select[Any]],
    given: Mapping[str, Any] | None = None,
    most: int | None = None,
) -> dict[Any, Count]:
    """How many rows each finds, in one statement, no more than so many of each."""
    most = COUNTED if most is None else most
    some = [(name, query.limit(most + 1).subquery()) for name, query in queries.items()]
    counts = [
        select(literal(str(name)).label("name"), func.count().label("many")).select_from(one)
        for name, one in some
    ]
    if not counts:
        return {}
    found = {row.name: row.many for row in tx.execute(union_all(*counts), dict(given or {}))}
    return {name: _count(found[str(name)], most) for name in queries}


def _count(many: int, most: int | None = None) -> Count:
    most = COUNTED if most is None else most
    return Count(min(many, most), many > most)
