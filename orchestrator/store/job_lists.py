"""What a tenant reads of its jobs: one of them, or a page of a list that costs the same however deep it is.

Pages are in the order of ids, which sort by time, and each filter has an index in that order. Below them is
what people read on the database's own machine, of all tenants: that is for databases of a modest size.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)

from orchestrator.core.blame import OF_ENDS, Fault
from orchestrator.core.ids import beginning_at
from orchestrator.core.job import HandOffState, Job
from orchestrator.core.lifecycle import OPEN, State
from orchestrator.errors import NotFound
from orchestrator.store.database import Transaction
from orchestrator.store.jobs import read_row
from orchestrator.store.schema import faults, hand_offs, jobs

# An id has the time of the process that made it, and a row that of the database: as far they may be apart.
APART = 600.0  # seconds


@dataclass(frozen=True, slots=True)
class Listed:
    """Which jobs are meant; None, or no states, means any. Moments are epoch seconds, the first included."""

    states: tuple[State, ...] = ()
    reference: str | None = None
    end_user: str | None = None
    needs_person: bool | None = None
    blame: Fault | None = None  # of its end, or met on its way
    accepted_after: float | None = None
    accepted_before: float | None = None


ANY = Listed()


def of_tenant(tx: Transaction, tenant_id: str, job_id: str) -> Job:
    """One job of this tenant. Raises NotFound, for another's as for none."""
    query = select(jobs).where(jobs.c.id == job_id, jobs.c.tenant_id == tenant_id)
    row = None if "\x00" in job_id else tx.execute(query).first()  # PostgreSQL cannot even be asked for it
    if row is None:
        raise unknown(job_id)
    return read_row(row)


def tenant_of(tx: Transaction, job_id: str) -> str:
    """Whose job it is. Raises NotFound."""
    whose = select(jobs.c.tenant_id).where(jobs.c.id == job_id)
    found: str | None = None if "\x00" in job_id else tx.execute(whose).scalar()
    if found is None:
        raise unknown(job_id)
    return found


def unknown(job_id: str) -> NotFound:
    """What is said of a job that is not there, and of one that is another's."""
    return NotFound(f"there is no job {job_id}", hint="`GET /v1/jobs` and `orchestrator jobs` list them")


def several(tx: Transaction, tenant_id: str, job_ids: Sequence[str]) -> list[Job]:
    """Those of these jobs that there are and that are this tenant's, in the order given."""
    rows = tx.execute(select(jobs).where(jobs.c.id.in_(job_ids), jobs.c.tenant_id == tenant_id))
    found = {row.id: read_row(row) for row in rows}
    return [found[one] for one in job_ids if one in found]


def retries_of(tx: Transaction, job_id: str) -> list[str]:
    """The jobs that ask for this one once more, oldest first."""
    query = select(jobs.c.id).where(jobs.c.retry_of == job_id).order_by(jobs.c.id)
    return list(tx.execute(query).scalars())


def references(tx: Transaction, job_ids: Collection[str]) -> dict[str, str | None]:
    """The references of several jobs."""
    rows = tx.execute(select(jobs.c.id, jobs.c.reference).where(jobs.c.id.in_(job_ids)))
    return {row.id: row.reference for row in rows}


def by_reference(tx: Transaction, tenant_id: str, reference: str) -> Job:
    """The tenant's newest job with this reference. Raises NotFound."""
    wanted = Listed(reference=reference)
    found = [] if "\x00" in reference else page(tx, tenant_id, wanted, limit=1)
    if not found:
        raise NotFound(f"there is no job with the reference {reference}", hint="`GET /v1/jobs` lists them")
    return found[0]


def page(
    tx: Transaction, tenant_id: str, which: Listed = ANY, *, limit: int, before: str | None = None
) -> list[Job]:
    """The newest ones, newest first; `before`, an id, goes on where an earlier page ended."""
    if which.needs_person and which.states and State.UNCERTAIN not in which.states:
        return []  # only an uncertain job waits for a person
    states, until, filters = _states(which), _until(which, before), _filters(which)
    theirs, named = jobs.c.tenant_id == tenant_id, _named(which)
    among = [jobs.c.state.in_(states)] if states else []
    if named is not None:
        listed = newest([theirs, *filters, *among], *named, until, limit)
    elif which.blame is not None and which.blame not in OF_ENDS:
        listed = _newest_that_met(tenant_id, which.blame, [theirs, *filters, *among], until, limit)
    elif states:
        # One index has each state in order, and none has several: so each gives its newest.
        each = [newest([theirs, *filters], jobs.c.state, state, until, limit).subquery() for state in states]
        merged = union_all(*(select(one) for one in each)).subquery()
        listed = select(merged).order_by(merged.c.id.desc()).limit(limit)
    else:
        # How far back it may read is known in that case, and PostgreSQL may choose how.
        bounded = [] if which.accepted_after is None else [theirs]
        listed = newest([*bounded, *filters], jobs.c.tenant_id, tenant_id, until, limit)
    return [read_row(row) for row in tx.execute(listed)]


def newest(
    where: Iterable[ColumnElement[bool]], by: Column[Any], value: Any, until: str | None, limit: int
) -> Select[Any]:
    """The newest where the column has this value, as a range of its index, which has ids in order within.

    Were it said as an equality, PostgreSQL could read all jobs by their ids instead, from the newest on, in
    the hope that many have the value: and read for long where only old ones do.
    """
    end = by <= value if until is None else tuple_(by, jobs.c.id) < tuple_(literal(value), literal(until))
    newest = select(jobs).where(*where, by >= value, end)
    return newest.order_by(by.desc(), jobs.c.id.desc()).limit(limit)


def _newest_that_met(
    tenant_id: str, fault: Fault, where: Iterable[ColumnElement[bool]], until: str | None, limit: int
) -> Select[Any]:
    """The newest that met this fault, as its index has them."""
    met = and_(faults.c.tenant_id == tenant_id, faults.c.fault == fault, faults.c.job_id == jobs.c.id)
    # Of both, which no planner concludes: it may read jobs in this order, and would from the newest on.
    ends = [] if until is None else [faults.c.job_id < until, jobs.c.id < until]
    found = select(jobs).join(faults, met).where(*where, *ends)
    return found.order_by(faults.c.job_id.desc()).limit(limit)


def _until(which: Listed, before: str | None) -> str | None:
    """The id before which all that is meant lies."""
    accepted = which.accepted_before
    ends = (before, None if accepted is None else beginning_at(accepted + APART))
    return min((one for one in ends if one is not None), default=None)


def _named(which: Listed) -> tuple[Column[Any], str] | None:
    """The name that has an index, if one is asked for."""
    if which.reference is not None:
        return jobs.c.reference, which.reference
    if which.end_user is not None:
        return jobs.c.end_user, which.end_user
    return (jobs.c.blame, which.blame) if which.blame in OF_ENDS else None


def _states(which: Listed) -> list[State]:
    """Where a person must settle it, the index by state finds it: it is uncertain."""
    return [State.UNCERTAIN] if which.needs_person else sorted(which.states)


def _filters(which: Listed) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if which.reference is not None and which.end_user is not None:
        found.append(jobs.c.end_user == which.end_user)
    if which.blame is not None and (which.reference is not None or which.end_user is not None):
        found.append(ended_or_met(which.blame))
    if which.needs_person is not None:
        found.append(jobs.c.needs_person == which.needs_person)
    if (after := which.accepted_after) is not None:
        found += [jobs.c.accepted_at >= after, jobs.c.id >= beginning_at(after - APART)]
    if (before := which.accepted_before) is not None:
        found.append(jobs.c.accepted_at < before)
    return found


def matching(tx: Transaction, tenant_id: str, name: str, *, limit: int) -> list[Job]:
    """The tenant's jobs that a person may mean: by our id or its beginning, the gateway's, or a reference."""
    means = or_(
        jobs.c.id.startswith(name, autoescape=True), jobs.c.gateway_id == name, jobs.c.reference == name
    )
    query = select(jobs).where(jobs.c.tenant_id == tenant_id, means).order_by(jobs.c.accepted_at.desc())
    return [read_row(row) for row in tx.execute(query.limit(limit))]


def unfinished(tx: Transaction, *, limit: int) -> list[Job]:
    """Jobs that are not settled, lack a detail or have something owed, oldest first."""
    owed = exists().where(hand_offs.c.job_id == jobs.c.id, hand_offs.c.state == HandOffState.OWED)
    going = or_(jobs.c.state.in_(OPEN), jobs.c.detail_tries > 0, owed)
    query = select(jobs).where(going).order_by(jobs.c.accepted_at, jobs.c.id).limit(limit)
    return [read_row(row) for row in tx.execute(query)]


def recent(
    tx: Transaction,
    *,
    limit: int,
    states: Iterable[State] | None = None,
    blame: Fault | None = None,
    **called: str | None,
) -> list[Job]:
    """The newest jobs, newest first; `called` has the `reference` and the `end_user` that are meant."""
    query = (
        select(jobs)
        .where(*_called(called), *_blamed(blame))
        .order_by(jobs.c.accepted_at.desc(), jobs.c.id.desc())
    )
    query = query if states is None else query.where(jobs.c.state.in_(list(states)))
    return [read_row(row) for row in tx.execute(query.limit(limit))]


def counts(tx: Transaction, *, blame: Fault | None = None, **called: str | None) -> dict[State, int]:
    """How many jobs stand in each state; `called` as in `recent`."""
    query = select(jobs.c.state, func.count().label("many")).where(*_called(called), *_blamed(blame))
    rows = tx.execute(query.group_by(jobs.c.state))
    return {State(row.state): row.many for row in rows}


def _called(names: Mapping[str, str | None]) -> list[ColumnElement[bool]]:
    return [jobs.c[name] == value for name, value in names.items() if value is not None]


def _blamed(blame: Fault | None) -> list[ColumnElement[bool]]:
    return [] if blame is None else [ended_or_met(blame)]


def ended_or_met(fault: Fault) -> ColumnElement[bool]:
    """Whether it is the blame of a job's end, or met on the way where ends have no such blame."""
    if fault in OF_ENDS:
        return jobs.c.blame == fault
    return jobs.c.id.in_(select(faults.c.job_id).where(faults.c.fault == fault))
