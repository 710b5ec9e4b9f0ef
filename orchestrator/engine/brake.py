"""How much a tenant may have under way: beyond it further creates wait, and say why.

Whether one more fits is decided in the transaction that begins the create, by one worker after the other
for each tenant. A count tells how many may begin, and each takes one of these places: since jobs only leave
meanwhile, the number of open jobs is kept exactly, and not every create reads them all. Money can be kept in
only as far as it is known beforehand: open jobs are expected to cost what others did.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace

from orchestrator.core.job import Job
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.store import due_jobs, tenants
from orchestrator.store.database import Transaction
from orchestrator.store.tenants import Spent, Tenant
from orchestrator.telemetry import Event, log

HOLD = 2.0  # seconds; then one create asks again, and all that fit follow
BELIEVED_FOR = 2.0  # seconds that a count is believed: a limit may have been changed
MOST_LEFT = 10_000  # places that a count leaves; no tenant takes more before the next one
FORGOTTEN_AFTER = 60.0  # seconds after a hold that nobody asked again: its last job was cancelled, say
DAY = 86_400.0
# A sum is believed for so many seconds for each job in it: adding up takes a few hundredths of the time
# (50 ms for 100,000 jobs, measured on SQLite), and the sums of all but the largest tenants are fresh.
KEPT_PER_JOB = 2e-5


@dataclass(frozen=True, slots=True)
class _Left:
    """How many further creates a limit lets begin, and why no more, in words."""

    places: int
    reason: str


def unlimited(context: Context, tx: Transaction, tenant_ids: Collection[str]) -> set[str]:
    """Those of these tenants whose creates may all go on."""
    known = [_with_defaults(context, one) for one in tenants.get_all(tx, tenant_ids)]
    return {
        one.id for one in known if not (one.max_open_jobs or one.spend_cap_usd) and one.held_until is None
    }


def held(context: Context, tx: Transaction, job: Job) -> list[FollowUp] | None:
    """Give a claimed create back and hold its tenant if that has enough under way; None when it may go on.

    For a tenant that is not `unlimited`. Whoever asks about several jobs asks in the order of their tenants.
    """
    tenant = _with_defaults(context, tenants.lock(tx, job.tenant_id))
    reason = None if _take_counted(tx, tenant) else _count(context, tx, tenant)
    if reason is None:
        if tenant.held_until is not None:
            _release(tx, tenant, job)
        return None
    _hold(tx, tenant, reason)
    due_jobs.release_if_ours(tx, job, {})
    return [FollowUp(Task.CREATE, HOLD)]


def _hold(tx: Transaction, tenant: Tenant, reason: str) -> None:
    tenants.hold(tx, tenant.id, reason, tx.now + HOLD)
    if tenant.held_until is None or tenant.held_until < tx.now - FORGOTTEN_AFTER:
        tx.after_commit.append(
            lambda: log(Event.CREATE_HELD, level=logging.WARNING, tenant=tenant.id, reason=reason)
        )


def _release(tx: Transaction, tenant: Tenant, job: Job) -> None:
    """Let this one pass. While others wait, the tenant is at its limit again in a moment: that is no news."""
    wholly = not tenants.others_wait(tx, tenant.id, job.id)
    tenants.release(tx, tenant.id, wholly=wholly)
    if wholly:
        tx.after_commit.append(lambda: log(Event.TENANT_RELEASED, tenant=tenant.id))


def _with_defaults(context: Context, tenant: Tenant) -> Tenant:
    open_jobs, cap = tenant.max_open_jobs, tenant.spend_cap_usd
    return replace(
        tenant,
        max_open_jobs=context.settings.max_open_jobs if open_jobs is None else open_jobs,
        spend_cap_usd=context.settings.spend_cap_usd if cap is None else cap,
    )


def _take_counted(tx: Transaction, tenant: Tenant) -> bool:
    """Take one of the places that the last count left."""
    if not tenant.free_places or tenant.counted_until is None or tenant.counted_until <= tx.now:
        return False
    tenants.leave_places(tx, tenant.id, tenant.free_places - 1, until=tenant.counted_until)
    return True


def _count(context: Context, tx: Transaction, tenant: Tenant) -> str | None:
    """In words why no further job of the tenant may be created now, or None: then one place is taken."""
    left: list[int] = []
    for found in (_by_number(tx, tenant), _by_money(context, tx, tenant)):
        if found is not None and not found.places:
            return found.reason
        left += [found.places] if found else []
    if left:
        tenants.leave_places(tx, tenant.id, min(*left, MOST_LEFT) - 1, until=tx.now + BELIEVED_FOR)
    return None


def _by_number(tx: Transaction, tenant: Tenant) -> _Left | None:
    most = tenant.max_open_jobs
    if not most:
        return None
    there = tenants.open_jobs(tx, tenant.id, limit=most + 1).jobs
    if there > most:
        return _Left(0, f"more jobs are open than the {most} that may be")
    return _Left(most - there, f"{there} {'job is' if there == 1 else 'jobs are'} open and {most} may be")


def _by_money(context: Context, tx: Transaction, tenant: Tenant) -> _Left | None:
    """The job that asks counts too: nothing is begun that is expected to go beyond the cap."""
    cap = tenant.spend_cap_usd
    if not cap:
        return None
    spent = _spent(context, tx, tenant.id)
    gone, within = spent.estimate, f"in {context.settings.spend_window_days:g} days"
    if gone >= cap:
        return _Left(0, f"US$ {gone:.2f} of {cap:.2f} {within} are spent")
    if not spent.mean:
        return None  # nobody knows what a job costs
    places = int((cap - gone) / spent.mean + 1e-9)
    under_way = tenants.open_jobs(tx, tenant.id, limit=places + 1).untold
    expected = gone + under_way * spent.mean
    return _Left(
        max(places - under_way, 0),
        f"US$ {expected:.2f} of {cap:.2f} {within} are spent or expected by open jobs, "
        f"and one more takes about {spent.mean:.2f}",
    )


def _spent(context: Context, tx: Transaction, tenant_id: str) -> Spent:
    believed = context.spent.get(tenant_id)
    if believed is not None and tx.now < believed[0]:
        return believed[1]
    spent = tenants.spent(tx, tenant_id, since=tx.now - context.settings.spend_window_days * DAY)
    context.spent[tenant_id] = (tx.now + (spent.known + spent.untold) * KEPT_PER_JOB, spent)
    return spent
