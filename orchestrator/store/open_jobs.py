"""Jobs that are still open, as far as they bear on what is learned; never more than a few thousand rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select, update

from orchestrator.core import cadence
from orchestrator.core.job import Updates
from orchestrator.core.learned.classes import channel_of
from orchestrator.store.database import Transaction
from orchestrator.store.due import moment, unleased
from orchestrator.store.given import given_rows
from orchestrator.store.schema import LOOKS_DUE, jobs, tenants

NEWEST = 5_000  # rows that are read at most, whatever became of their jobs


@dataclass(frozen=True, slots=True)
class Running:
    """A job that waits for its end, without what was asked for."""

    id: str
    due_at: float
    created_at: float
    last_look_at: float | None
    seen_running_at: float | None
    poll_after: float | None
    ending_class: str | None
    channel: str

    def floor(self, when_absent: float) -> float:
        """The soonest moment at which the gateway wants to be asked again."""
        hint = cadence.floor(cadence.Guidance(self.poll_after), when_absent)
        return (self.last_look_at or self.created_at) + hint


def ages_of_newest(tx: Transaction) -> dict[str, dict[float, float]]:
    """By class and by when they began: to what age the newest open jobs were seen running by a look.

    0 where no look saw it yet: such a job says nothing, but that there is one more than the quick ones.
    """
    columns = (jobs.c.state, jobs.c.ending_class, jobs.c.created_at, jobs.c.seen_running_at)
    newest = select(*columns).order_by(jobs.c.id.desc()).limit(NEWEST).subquery()
    known = newest.c.created_at.is_not(None) & newest.c.ending_class.is_not(None)
    found: dict[str, dict[float, float]] = {}
    for row in tx.execute(select(newest).where(newest.c.state == "waiting", known)):
        ages = found.setdefault(row.ending_class, {})
        ages[row.created_at] = max((row.seen_running_at or row.created_at) - row.created_at, 0.0)
    return found


def _hooked_in(columns: Any) -> list[ColumnElement[bool]]:
    return [
        columns.state == "waiting",
        columns.updates == Updates.HYBRID,
        columns.without_webhook.is_(False),
        or_(columns.hooked.is_(None), columns.hooked.is_(True)),
        columns.created_at.is_not(None),
    ]


# Of others looks failed, and nobody knows any more for how long the gateway wants to be left alone.
_HOOKED = and_(*_hooked_in(jobs.c), jobs.c.look_errors == 0)
_TOLD = (jobs.c.state, jobs.c.updates, jobs.c.without_webhook, jobs.c.hooked)
_READ = (
    jobs.c.id,
    jobs.c.due_at,
    jobs.c.created_at,
    jobs.c.last_look_at,
    jobs.c.seen_running_at,
    jobs.c.poll_after,
    jobs.c.ending_class,
    jobs.c.account_id,
    jobs.c.provider,
)


def accounts_awaiting(tx: Transaction) -> set[str]:
    """The accounts of whose endpoints webhooks are to tell of any of the newest jobs."""
    newest = select(*_READ, *_TOLD).order_by(jobs.c.id.desc()).limit(NEWEST).subquery()
    return set(tx.execute(select(newest.c.account_id).where(*_hooked_in(newest.c)).distinct()).scalars())


def awaited(tx: Transaction, account_id: str) -> list[Running]:
    """The newest jobs of which a webhook of the account's endpoint is to tell."""
    newest = select(*_READ, *_TOLD).order_by(jobs.c.id.desc()).limit(NEWEST).subquery()
    rows = select(*(newest.c[one.name] for one in _READ)).where(
        newest.c.account_id == account_id, *_hooked_in(newest.c)
    )
    return [_read(row) for row in tx.execute(rows)]


def next_tenant(tx: Transaction, *, after: str, due_after: float) -> str | None:
    """The next tenant, in the order of their ids, that has a look due only after that moment."""
    late = select(jobs.c.due_at).where(jobs.c.tenant_id == tenants.c.id, LOOKS_DUE, jobs.c.due_at > due_after)
    # Not EXISTS, which a planner may turn into a join that reads every job that is open.
    first = late.order_by(jobs.c.due_at).limit(1).scalar_subquery()
    asked = select(tenants.c.id).where(tenants.c.id > after, first.is_not(None))
    asked = asked.order_by(tenants.c.id).limit(1)
    found: str | None = tx.execute(asked).scalar()
    return found


def hold_latest(
    tx: Transaction, account_id: str, tenant_id: str, *, due_after: float, due_before: float, limit: int
) -> list[Running]:
    """Hold jobs that a webhook of the account's endpoint is to tell of, those due last first.

    Those that somebody holds or works on are left out.
    """
    query = _hooked(account_id, tenant_id, due_after).where(jobs.c.due_at <= due_before)
    query = query.order_by(jobs.c.due_at.desc()).limit(limit)
    rows = tx.execute(query.with_for_update(skip_locked=True, key_share=True), moment(tx))
    return [_read(row) for row in rows]


def hold_soonest(
    tx: Transaction, account_id: str, tenant_id: str, *, due_after: float, limit: int
) -> list[Running]:
    """The same, those due first of all first."""
    query = _hooked(account_id, tenant_id, due_after).order_by(jobs.c.due_at).limit(limit)
    rows = tx.execute(query.with_for_update(skip_locked=True, key_share=True), moment(tx))
    return [_read(row) for row in rows]


def bring_forward(tx: Transaction, due: Mapping[str, float]) -> int:
    """Let these jobs, which are held, be looked at sooner, and none later. Returns how many."""
    if not due:
        return 0
    rows = given_rows(tx, (jobs.c.id, jobs.c.due_at), "sooner")
    statement = (
        update(jobs).where(jobs.c.id == rows.c.id, jobs.c.due_at > rows.c.due_at).values(due_at=rows.c.due_at)
    )
    given = [{"id": job_id, "due_at": due_at} for job_id, due_at in due.items()]
    return tx.execute(statement, {"sooner": json.dumps(given)}).rowcount


def _hooked(account_id: str, tenant_id: str, due_after: float) -> Select[Any]:
    whose = (jobs.c.tenant_id == tenant_id, jobs.c.account_id == account_id)
    return select(*_READ).where(LOOKS_DUE, *whose, _HOOKED, unleased(jobs.c), jobs.c.due_at > due_after)


def _read(row: Row[Any]) -> Running:
    facts = dict(row._mapping)
    channel = channel_of(facts.pop("account_id"), facts.pop("provider"))
    return Running(**facts, channel=channel)
