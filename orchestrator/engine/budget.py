"""How many requests the looks of a tenant may send at this moment, and which wait where it is too few.

What may be sent is taken from the tenant's bucket in the transaction of the claim, for the worst case; what
was not sent is given back afterwards, and what was sent beyond it (stored evidence where a look is in doubt)
is owed. Detail looks of settled jobs come first, since hand-offs wait for them, then jobs at their deadline,
then the others by what a look at them is worth (`core.learned.value`). The search for an uncertain create is
not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from orchestrator.core import cadence
from orchestrator.core.job import Job
from orchestrator.core.learned.paces import Pace
from orchestrator.core.learned.value import value_of
from orchestrator.core.lifecycle import SETTLED
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.store import due_jobs, tenants
from orchestrator.store.database import Transaction

LONGEST_PUT_OFF = 60.0  # seconds; then it is decided anew, by what is known then


@dataclass(slots=True)
class Allowance:
    """What one round may send for one tenant. `room_in` is when there is room for one more, in seconds."""

    rate: float
    taken: int
    room_in: float
    promised: int = 0
    waiting: int = 0

    def spend(self) -> bool:
        """Promise one more request, if it may be sent."""
        if self.promised >= self.taken:
            return False
        self.promised += 1
        return True

    def put_off(self) -> float:
        """Seconds until there is room for one more that has to wait, after those before it."""
        self.waiting += 1
        return min(self.room_in + (self.waiting - 1) / self.rate, LONGEST_PUT_OFF)


def take(context: Context, tx: Transaction, claimed: Sequence[Job]) -> dict[str, Allowance]:
    """What may be sent about these jobs, of the tenants that have a limit."""
    wanted = Counter(job.tenant_id for job in claimed)
    rates = tenants.look_rates(tx, wanted.keys(), otherwise=context.settings.looks_per_second)
    return {
        # One more than there are jobs, for a list.
        tenant: Allowance(rate, *tenants.take_looks(tx, tenant, wanted[tenant] + 1, rate=rate))
        for tenant, rate in rates.items()
    }


def settle(context: Context, allowances: Mapping[str, Allowance], sent: Mapping[str, int]) -> None:
    """Give back what was taken and not sent."""
    left = {tenant: one.taken - sent.get(tenant, 0) for tenant, one in allowances.items()}
    if any(left.values()):
        with context.store.write(durable=False) as tx:
            for tenant, many in left.items():
                tenants.give_looks_back(tx, tenant, many)


def put_off(tx: Transaction, waiting: Sequence[tuple[Job, float]]) -> list[FollowUp]:
    """Give back jobs about which there is no room to ask, each for so many seconds; they are held.

    A job is due at its deadline at the latest: there it comes before the others.
    """
    looks, follow_ups = [], []
    for job, seconds in waiting:
        wait = min(seconds, job.deadline_at - tx.now) if tx.now < job.deadline_at else seconds
        ours = {"id": job.id, "fence": job.fence, "leased_by": job.leased_by}
        looks.append(ours | {"due_at": tx.now + wait})
        follow_ups.append(FollowUp(Task.LOOK, wait))
    due_jobs.put_off_looks(tx, looks)
    return follow_ups


def by_value(due: Sequence[Job], pace: Mapping[str, Pace], now: float, when_absent: float) -> list[Job]:
    """The jobs, those first about which to ask is worth most. `pace` is by their ids."""
    values = {job.id: _value(job, pace[job.id], now, when_absent) for job in due}
    # Detail looks before deadlines: both are worth more than any number.
    return sorted(due, key=lambda job: (job.state not in SETTLED, -values[job.id], job.id))


def _value(job: Job, pace: Pace, now: float, when_absent: float) -> float:
    if job.state in SETTLED or job.created_at is None:
        return inf
    return value_of(
        age=now - job.created_at,
        seen_running_at=(job.seen_running_at or job.created_at) - job.created_at,
        floor=cadence.floor(cadence.Guidance(job.poll_after), when_absent),
        plan=pace.plan,
        last_chance=now >= job.deadline_at,
    )
