"""Gateway accounts of tenants. The secrets of each are one encrypted token; no key is here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, func, literal, select, union, update

from orchestrator.core.lifecycle import OPEN
from orchestrator.core.routes import ARCHIVE, lane_of
from orchestrator.errors import NotFound
from orchestrator.store.database import Transaction
from orchestrator.store.schema import (
    DEFAULT,
    HAND_OFFS_DUE,
    LOOKS_DUE,
    NOT_REMOVED,
    accounts,
    hand_offs,
    jobs,
    tenants,
)

_JUST = 0.001  # seconds; two changes of one moment are told apart by it
_LIVE = accounts.c.removed_at.is_(None)


@dataclass(frozen=True, slots=True)
class Entry:
    """One account. Of the default one, what is None is as the settings say."""

    id: str
    tenant_id: str
    name: str
    base_url: str | None
    secrets: str | None = field(repr=False)
    webhook_endpoint_id: str | None
    changed_at: float | None


class Paying(NamedTuple):
    """The account that a job is made with, and how it is called."""

    id: str
    name: str


_READ = tuple(accounts.c[name] for name in Entry.__dataclass_fields__)


def for_tenant(tx: Transaction, tenant_id: str, name: str | None = None) -> Paying:
    """The account that a new job of the tenant is made with: the one named, else its oldest own.

    A tenant without any has the default one. Raises NotFound for a name that is no account of this tenant.
    In a transaction that writes: until it ends, the account is not removed.
    """
    found = [Paying(row.id, row.name) for row in tx.execute(_OWN, {"tenant": tenant_id})]
    chosen = next((one for one in found if name in (None, one.name)), None)
    if chosen is None and name is None:
        return Paying(DEFAULT, names(tx, [DEFAULT])[DEFAULT])
    if chosen is None:
        known = ", ".join(one.name for one in found) or "none"
        raise NotFound(f"there is no account {name!r}", hint=f"your accounts: {known}")
    return chosen


def every(tx: Transaction) -> list[Entry]:
    """All that were not removed, by tenant, the oldest first."""
    query = select(*_READ).where(_LIVE).order_by(accounts.c.tenant_id)
    return [Entry(**row._mapping) for row in tx.execute(_oldest_first(query))]


def names(tx: Transaction, ids: Collection[str]) -> dict[str, str]:
    """How these accounts are called, also those that were removed."""
    rows = tx.execute(select(accounts.c.id, accounts.c.name).where(accounts.c.id.in_(ids)))
    return {row.id: row.name for row in rows}


def named(tx: Transaction, tenant_id: str, name: str) -> Entry | None:
    """The tenant's account of this name, held until the transaction ends."""
    query = select(*_READ).where(accounts.c.tenant_id == tenant_id, accounts.c.name == name, _LIVE)
    row = tx.execute(query.with_for_update()).first()
    return Entry(**row._mapping) if row else None


def add_once(tx: Transaction, entry: Entry) -> bool:
    """Keep a new one. False: the tenant has one of this name. Raises NotFound for an unknown tenant."""
    if tx.execute(select(tenants.c.id).where(tenants.c.id == entry.tenant_id)).first() is None:
        raise NotFound(f"there is no tenant {entry.tenant_id}", hint="`orchestrator tenants list` shows all")
    values = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
    statement = tx.insert(accounts).values(**values | {"changed_at": tx.now})
    added = statement.on_conflict_do_nothing(
        index_elements=["tenant_id", "name"], index_where=NOT_REMOVED
    ).returning(accounts.c.id)
    return tx.execute(added).first() is not None


def change(tx: Transaction, account_id: str, changes: Mapping[str, Any]) -> None:
    """Write these columns; `changed_at` grows in any case."""
    kept = func.coalesce(accounts.c.changed_at, literal(0.0)) + _JUST
    sqlite = tx.dialect == "sqlite"
    grown = func.max(kept, tx.now) if sqlite else func.greatest(kept, tx.now)
    statement = update(accounts).where(accounts.c.id == account_id, _LIVE)
    tx.execute(statement.values(**changes, changed_at=grown))


def remove(tx: Transaction, account_id: str) -> None:
    """Forget its secrets, and let its name be given again; jobs that were made with it still refer to it."""
    gone = {"removed_at": tx.now, "secrets": None}
    tx.execute(update(accounts).where(accounts.c.id == account_id).values(**gone))


def reseal_if_still(tx: Transaction, entry: Entry, secrets: str) -> bool:
    """Put another token of the same secrets in the place of the one that was read. It counts as no change."""
    still = (accounts.c.id == entry.id, accounts.c.secrets == entry.secrets)
    return tx.execute(update(accounts).where(*still).values(secrets=secrets)).rowcount == 1


def needed_by(tx: Transaction, entry: Entry, *, limit: int) -> int:
    """How many jobs still need it, counted up to `limit`: open ones, and those with something to be fetched.

    By the indexes that find due work, whatever else the tenant has.
    """
    theirs = (jobs.c.tenant_id == entry.tenant_id, jobs.c.account_id == entry.id)
    opened = select(jobs.c.id).where(*theirs, jobs.c.state.in_(sorted(OPEN)))
    looked_at = select(jobs.c.id).where(*theirs, LOOKS_DUE)
    lane = lane_of(entry.tenant_id, ARCHIVE)
    of_archive = select(hand_offs.c.job_id).where(hand_offs.c.lane == lane, HAND_OFFS_DUE)
    fetched = select(jobs.c.id).where(*theirs, jobs.c.id.in_(of_archive))
    some = union(opened, looked_at, fetched).limit(limit).subquery()
    return int(tx.execute(select(func.count()).select_from(some)).scalar_one())


def _oldest_first(query: Select[Any]) -> Select[Any]:
    """The default account was there first; the ids of others sort by time."""
    return query.order_by(accounts.c.id != DEFAULT, accounts.c.id)


# Held by the lock that a job's reference to it takes anyway.
_OWN = _oldest_first(
    select(accounts.c.id, accounts.c.name).where(accounts.c.tenant_id == bindparam("tenant"), _LIVE)
).with_for_update(read=True, key_share=True)
