"""Tenants: how much each may have under way, what that comes to, and why its creates are held."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, func, literal_column, select, union_all, update

from orchestrator.core.lifecycle import State
from orchestrator.errors import NotFound
from orchestrator.store.database import Transaction
from orchestrator.store.schema import CREATES_DUE, LOOKS_DUE, SPENT, jobs, tenants


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whose jobs they are. A limit that is None is left to the settings, 0 is none.

    `free_places` is how many further creates fit by the last count, believed until `counted_until`. Pages of
    the `allowed_origins` may use its come-back tokens.
    """

    id: str
    max_open_jobs: int | None
    spend_cap_usd: float | None
    held_reason: str | None
    held_until: float | None
    free_places: int | None = None
    counted_until: float | None = None
    allowed_origins: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    looks_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What jobs cost: the sum over those whose cost is known, and how many completed without telling it."""

    usd: float
    known: int
    untold: int

    @property
    def mean(self) -> float:
        """US dollars a job; 0 while no cost is known."""
        return self.usd / self.known if self.known else 0.0

    @property
    def estimate(self) -> float:
        """The sum, with what was not told taken for the mean."""
        return self.usd + self.untold * self.mean


@dataclass(frozen=True, slots=True)
class Open:
    """Jobs that the gateway has or may have, and how many of them have no known cost yet."""

    jobs: int
    untold: int


_READ = (
    tenants.c.id,
    tenants.c.max_open_jobs,
    tenants.c.spend_cap_usd,
    tenants.c.held_reason,
    tenants.c.held_until,
    tenants.c.free_places,
    tenants.c.counted_until,
    tenants.c.allowed_origins,
    tenants.c.requests_per_minute,
    tenants.c.looks_per_second,
)
_GET_ALL = select(*_READ).where(tenants.c.id.in_(bindparam("these", expanding=True)))
LOOKS_SAVED_UP = 5.0  # seconds of looks that a tenant may send at once after a quiet time


def add_once(tx: Transaction, tenant_id: str) -> bool:
    """A new tenant, without limits of its own. False where there is one of that name."""
    new = tx.insert(tenants).values(id=tenant_id, name=tenant_id).on_conflict_do_nothing()
    return tx.execute(new.returning(tenants.c.id)).first() is not None


def change(tx: Transaction, tenant_id: str, values: Mapping[str, Any]) -> Tenant:
    """Set some of its limits, and return it. Raises NotFound."""
    if values:
        tx.execute(update(tenants).where(tenants.c.id == tenant_id).values(**values))
    return get(tx, tenant_id)


def every(tx: Transaction) -> list[Tenant]:
    """All of them, by their ids."""
    return [_tenant(row) for row in tx.execute(select(*_READ).order_by(tenants.c.id))]


def ids(tx: Transaction) -> list[str]:
    """The ids of all, in order."""
    return list(tx.execute(select(tenants.c.id).order_by(tenants.c.id)).scalars())


def get(tx: Transaction, tenant_id: str) -> Tenant:
    """One tenant. Raises NotFound."""
    return _found(tx.execute(select(*_READ).where(tenants.c.id == tenant_id)).first(), tenant_id)


def get_all(tx: Transaction, tenant_ids: Collection[str]) -> list[Tenant]:
    """Several tenants, those that there are."""
    return [_tenant(row) for row in tx.execute(_GET_ALL, {"these": list(tenant_ids)})] if tenant_ids else []


def lock(tx: Transaction, tenant_id: str) -> Tenant:
    """One tenant, held until the transaction ends: of two who count its jobs, one counts after the other.

    New jobs of the tenant are kept meanwhile. Raises NotFound.
    """
    # "No key": rows that refer to the tenant are written by submits and hand-offs, which must not wait.
    query = select(*_READ).where(tenants.c.id == tenant_id).with_for_update(key_share=True)
    return _found(tx.execute(query).first(), tenant_id)


def with_limits(tx: Transaction) -> list[Tenant]:
    """The tenants that have a limit of their own, by their ids."""
    own = tenants.c.max_open_jobs.is_not(None) | tenants.c.spend_cap_usd.is_not(None)
    return [_tenant(row) for row in tx.execute(select(*_READ).where(own).order_by(tenants.c.id))]


def held(tx: Transaction, *, since: float) -> dict[str, str]:
    """Why creates are held, by tenant, for those that are held or were until a moment ago."""
    query = select(tenants.c.id, tenants.c.held_reason).where(
        tenants.c.held_reason.is_not(None), tenants.c.held_until > since
    )
    return {row.id: row.held_reason for row in tx.execute(query)}


def hold(tx: Transaction, tenant_id: str, reason: str, until: float) -> None:
    """Let no create of the tenant be claimed until then."""
    values = {"held_reason": reason, "held_until": until}
    tx.execute(update(tenants).where(tenants.c.id == tenant_id).values(**values))


def release(tx: Transaction, tenant_id: str, *, wholly: bool) -> None:
    """Let creates of the tenant be claimed. Unless `wholly`, it stays known that it was held until now."""
    values = {"held_reason": None, "held_until": None if wholly else tx.now}
    tx.execute(update(tenants).where(tenants.c.id == tenant_id).values(**values))


def leave_places(tx: Transaction, tenant_id: str, places: int, *, until: float) -> None:
    """So many further creates may begin without counting again, until then; for whoever holds the tenant."""
    values = {"free_places": places, "counted_until": until}
    tx.execute(update(tenants).where(tenants.c.id == tenant_id).values(**values))


def look_rates(tx: Transaction, tenant_ids: Collection[str], *, otherwise: float) -> dict[str, float]:
    """Looks a second of those of these tenants that have a limit; `otherwise` is what the settings say."""
    rate = func.coalesce(tenants.c.looks_per_second, otherwise).label("rate")
    query = select(tenants.c.id, rate).where(tenants.c.id.in_(tenant_ids), rate > 0)
    return {row.id: float(row.rate) for row in tx.execute(query.order_by(tenants.c.id))}


def take_looks(tx: Transaction, tenant_id: str, wanted: int, *, rate: float) -> tuple[int, float]:
    """Take up to so many looks out of what the tenant may send, which grows by `rate` a second.

    Returns how many, and in how many seconds there is one more. The tenant is held until the transaction
    ends; whoever holds several holds them in the order of their ids, and jobs before them.
    """
    bucket = select(tenants.c.looks_left, tenants.c.looks_left_at).where(tenants.c.id == tenant_id)
    row = tx.execute(bucket.with_for_update(key_share=True)).one()
    left = most = max(rate * LOOKS_SAVED_UP, 1.0)
    if row.looks_left is not None:
        left = min(most, row.looks_left + rate * max(tx.now - row.looks_left_at, 0.0))
    taken = max(min(wanted, int(left + 1e-6)), 0)
    left -= taken
    values = {"looks_left": left, "looks_left_at": tx.now}
    tx.execute(update(tenants).where(tenants.c.id == tenant_id).values(**values))
    return taken, max(1.0 - left, 0.0) / rate


def give_looks_back(tx: Transaction, tenant_id: str, many: int) -> None:
    """So many of those taken were not sent; below 0: so many more were."""
    left = tenants.c.looks_left + many
    tx.execute(update(tenants).where(tenants.c.id == tenant_id).values(looks_left=left))


def others_wait(tx: Transaction, tenant_id: str, job_id: str) -> bool:
    """Whether the tenant has further jobs that are not created yet."""
    there = select(jobs.c.id).where(jobs.c.tenant_id == tenant_id, CREATES_DUE, jobs.c.id != job_id)
    # In an order, so that PostgreSQL does not read the table for the first one that comes.
    return tx.execute(there.order_by(jobs.c.due_at).limit(1)).first() is not None


def open_jobs(tx: Transaction, tenant_id: str, *, limit: int) -> Open:
    """The tenant's jobs that are open, counted up to `limit`.

    By the indexes that find due work, which hold every open job: each has a due time or is being created.
    """
    # Not the tenant's column itself, or SQLite goes through every job that the tenant ever had.
    creating = select(jobs.c.cost_usd).where(
        jobs.c.state == literal_column("'creating'"), jobs.c.tenant_id + "" == tenant_id
    )
    waiting = select(jobs.c.cost_usd).where(
        jobs.c.tenant_id == tenant_id, LOOKS_DUE, jobs.c.state.in_([State.UNCERTAIN, State.WAITING])
    )
    some = union_all(creating, waiting).limit(limit).subquery()
    counts = func.count().label("jobs"), func.count(some.c.cost_usd).label("told")
    row = tx.execute(select(*counts).select_from(some)).one()
    return Open(row.jobs, row.jobs - row.told)


def spent(tx: Transaction, tenant_id: str, *, since: float) -> Spent:
    """What the tenant's jobs cost that were accepted since then. Reads an entry of the index for each."""
    sums = (
        func.coalesce(func.sum(jobs.c.cost_usd), 0.0).label("usd"),
        func.count(jobs.c.cost_usd).label("known"),
        func.count().label("jobs"),
    )
    theirs = (jobs.c.tenant_id == tenant_id, jobs.c.accepted_at > since, SPENT)
    row = tx.execute(select(*sums).where(*theirs)).one()
    return Spent(float(row.usd), row.known, row.jobs - row.known)


def _found(row: Row[Any] | None, tenant_id: str) -> Tenant:
    if row is None:
        raise NotFound(f"there is no tenant {tenant_id}")
    return _tenant(row)


def _tenant(row: Row[Any]) -> Tenant:
    return Tenant(**{**row._mapping, "allowed_origins": tuple(row.allowed_origins or ())})
