"""One job and what is around it, in one statement: callers ask for it again and again.

Nearly always there is nothing around it yet: whether there is, is told, and read only then.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Float, bindparam, exists, select

from orchestrator.core.job import Job
from orchestrator.core.lifecycle import State
from orchestrator.store.database import Transaction
from orchestrator.store.job_lists import unknown
from orchestrator.store.jobs import of_columns
from orchestrator.store.schema import accounts, hand_offs, jobs, outputs, tenants


@dataclass(frozen=True, slots=True)
class Overview:
    """A job, the name of its account, why its create is held, and whether there is more to read."""

    job: Job
    account: str
    held: str | None
    has_outputs: bool
    has_hand_offs: bool


def of_tenant(tx: Transaction, tenant_id: str, job_id: str, *, held_since: float) -> Overview:
    """One job of this tenant. Raises NotFound, for another's as for none.

    `held`: where it is still to be created and its tenant is held, or was until a moment after `held_since`.
    """
    asked = {"job": job_id, "tenant": tenant_id, "since": held_since}
    row = None if "\x00" in job_id else tx.execute(_ONE, asked).first()  # PostgreSQL cannot even be asked
    if row is None:
        raise unknown(job_id)
    values = dict(row._mapping)
    around = {name: values.pop(name) for name in ("account", "held", "has_outputs", "has_hand_offs")}
    return Overview(of_columns(values), **around)


_HELD = select(tenants.c.held_reason).where(
    tenants.c.id == jobs.c.tenant_id,
    tenants.c.held_until > bindparam("since", type_=Float),
    jobs.c.state == State.ACCEPTED,
)
_ONE = (
    select(
        jobs,
        accounts.c.name.label("account"),
        _HELD.scalar_subquery().label("held"),
        exists().where(outputs.c.job_id == jobs.c.id).label("has_outputs"),
        exists().where(hand_offs.c.job_id == jobs.c.id).label("has_hand_offs"),
    )
    .join(accounts, accounts.c.id == jobs.c.account_id)
    .where(jobs.c.id == bindparam("job"), jobs.c.tenant_id == bindparam("tenant"))
)
