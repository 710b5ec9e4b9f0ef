"""What a person reads of the inbox: pages of it, latest first, that cost the same however much there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, literal, literal_column, select, tuple_

from orchestrator.store.database import Transaction
from orchestrator.store.inbox import EntryState
from orchestrator.store.schema import accounts, inbox, rejections

WINDOW = 10_000  # entries that one page looks through at most, where no index finds those that are meant

Place = tuple[float, int]  # where a page ends: when it was received last, and its id


@dataclass(frozen=True, slots=True)
class Filed:
    """Which entries are meant; None means any. Moments are epoch seconds of the latest receipt."""

    state: EntryState | None = None
    type: str | None = None
    gateway_id: str | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """An entry without what came in. Field names are column names."""

    id: int
    account_id: str
    type: str
    gateway_id: str
    job_id: str | None
    state: EntryState
    deliveries: int
    received_at: float
    last_received_at: float


@dataclass(frozen=True, slots=True)
class Page:
    """`after`: where to go on, None at the end. `looked_through`: so far it looked, and is not full."""

    lines: list[Line]
    after: Place | None
    looked_through: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A delivery that was not believed, without what came in. Field names are column names."""

    id: int
    account_id: str
    reason: str
    detail: str
    received_at: float
    truncated: bool


_LINE = tuple(inbox.c[name] for name in Line.__dataclass_fields__)
_REFUSED = tuple(rejections.c[name] for name in Refused.__dataclass_fields__)
_WAITING = literal_column("inbox.state") == literal_column("'waiting'")  # as in its partial index


def page(tx: Transaction, which: Filed, *, limit: int, before: Place | None = None) -> Page:
    """The latest entries; `before` goes on where an earlier page ended."""
    among = {name: value for name, value in (("type", which.type), ("state", which.state)) if value}
    most = WINDOW if among else limit + 1
    window = _latest(select(*_LINE).where(*_found(which, before))).limit(most).subquery()
    query = select(window).where(*(window.c[name] == value for name, value in among.items()))
    ordered = query.order_by(window.c.last_received_at.desc(), window.c.id.desc()).limit(limit + 1)
    lines = [_line(dict(row._mapping)) for row in tx.execute(ordered)]
    if len(lines) > limit:
        return Page(lines[:limit], (lines[limit - 1].last_received_at, lines[limit - 1].id))
    end = _end(tx, which, before) if among else None
    return Page(lines, end, looked_through=end is not None)


def refused(
    tx: Transaction,
    *,
    reason: str | None = None,
    since: float | None = None,
    until: float | None = None,
    limit: int,
    before: int | None = None,
) -> list[Refused]:
    """The latest deliveries that were not believed, of a ring that is small; `before` is an id."""
    where: list[ColumnElement[bool]] = []
    where += [rejections.c.reason == reason] if reason is not None else []
    where += [rejections.c.received_at >= since] if since is not None else []
    where += [rejections.c.received_at < until] if until is not None else []
    where += [rejections.c.id < before] if before is not None else []
    query = select(*_REFUSED).where(*where).order_by(rejections.c.id.desc()).limit(limit)
    return [Refused(**row._mapping) for row in tx.execute(query)]


def _found(which: Filed, before: Place | None) -> list[ColumnElement[bool]]:
    """What an index finds: the time, those that wait, one job of the gateway's."""
    received = inbox.c.last_received_at
    where: list[ColumnElement[bool]] = []
    if which.state is EntryState.WAITING:
        where.append(_WAITING)
    if which.gateway_id is not None:
        where += [inbox.c.account_id.in_(select(accounts.c.id)), inbox.c.gateway_id == which.gateway_id]
    where += [received >= which.since] if which.since is not None else []
    where += [received < which.until] if which.until is not None else []
    if before is not None:
        at, entry_id = before
        # The first of the two is for the index: a comparison of pairs is none that every planner can use.
        where += [received <= at, tuple_(received, inbox.c.id) < tuple_(literal(at), literal(entry_id))]
    return where


def _end(tx: Transaction, which: Filed, before: Place | None) -> Place | None:
    """The last entry that was looked through, if there may be others behind it."""
    places = _latest(select(inbox.c.last_received_at, inbox.c.id).where(*_found(which, before)))
    row = tx.execute(places.offset(WINDOW - 1).limit(1)).first()
    return (row.last_received_at, row.id) if row else None


def _latest(query: Select[Any]) -> Select[Any]:
    return query.order_by(inbox.c.last_received_at.desc(), inbox.c.id.desc())


def _line(values: dict[str, Any]) -> Line:
    return Line(**values | {"state": EntryState(values["state"])})
