"""How everything stands, in figures that cost the same however many jobs there are.

What is counted is counted up to a bound. Sums over a day are kept for some seconds, and say how old they are.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from orchestrator.core.blame import Fault
from orchestrator.core.learned.hooks import Health
from orchestrator.core.lifecycle import State
from orchestrator.engine import alarms, blaming, hook_health
from orchestrator.engine.alarms import BEHIND_AFTER, Alarm
from orchestrator.engine.context import Context
from orchestrator.engine.hook_health import Standing as HookStanding
from orchestrator.engine.standing import HELD_LATELY
from orchestrator.store import accounts, drift, figures, tenants
from orchestrator.store.database import Transaction
from orchestrator.store.drift import Known
from orchestrator.store.figures import Cost, Count, Owed
from orchestrator.store.ledger import DAY, Sums, day_of

DAYS = 14  # of the charts
KEPT_FOR = 20.0  # seconds that sums over a day are believed
MOST_HOOKS = 30  # channels of webhooks that are told of one by one
KEPT_MOST = 200  # tenants of which they are kept


@dataclass(frozen=True, slots=True)
class Stuck:
    """Jobs that do not get on by themselves. `held` says why creates wait, by tenant.

    `behind` is what nobody takes although it has long been due, by kind of work.
    """

    needs_person: Count
    held: Mapping[str, str]
    behind: Mapping[str, Count]

    def __bool__(self) -> bool:
        return bool(self.needs_person or self.held or any(self.behind.values()))


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sums over the last day, as of a moment. `costs` is by tenant; `cut`: there is more than was summed.

    `days` has those of the last ones, oldest first. `hooks` are the channels of webhooks that do worst, with
    the name of each account, and `healths` how many there are of each kind.
    """

    at: float
    days: Sequence[tuple[int, Sums]]
    faults: Mapping[Fault, int]
    costs: Mapping[str, Cost]
    cut: bool
    hooks: Sequence[tuple[str, HookStanding]]
    healths: Mapping[Health, int]

    @property
    def looked(self) -> Sums:
        """What looking cost over all these days."""
        whole = Sums()
        for _, one in self.days:
            whole.add(one)
        return whole

    @property
    def cost(self) -> Cost:
        """Of all these tenants."""
        every = self.costs.values()
        return Cost(
            sum(one.usd for one in every), sum(one.known for one in every), sum(one.untold for one in every)
        )


@dataclass(frozen=True, slots=True)
class Overview:
    """How everything stands.

    `alarms`, and `drift`, what the gateway says that is new, are None for whoever sees one tenant only. `cap`
    is what a tenant may spend, None: there is no cap, or several tenants are meant.
    """

    now: float
    open: Mapping[State, Count]
    stuck: Stuck
    owed: Owed
    dead: tuple[Mapping[str, int], Count]
    sizes: Sizes
    alarms: Sequence[Alarm] | None
    drift: Sequence[Known] | None
    cap: float | None


@dataclass(slots=True)
class Remembered:
    """Sums over a day, kept for some seconds by one process, apart for each tenant and for all."""

    _kept: dict[str | None, Sizes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, tx: Transaction, tenant_id: str | None, whose: Sequence[str]) -> Sizes:
        """Those of a tenant, or of all."""
        with self._lock:
            known = self._kept.get(tenant_id)
        if known is not None and 0 <= tx.now - known.at < KEPT_FOR:
            return known
        made = _sizes(tx, tenant_id, whose)
        with self._lock:
            if len(self._kept) >= KEPT_MOST:
                self._kept.clear()
            self._kept[tenant_id] = made
        return made


def read(
    context: Context,
    tenant_id: str | None,
    remembered: Remembered,
    *,
    wall_clock: float,
    beat_expected: bool,
) -> Overview:
    """How everything stands with a tenant, or with all: then what is wrong with the installation too."""
    all_alarms = partial(alarms.read, wall_clock=wall_clock, beat_expected=beat_expected)
    with context.store.read() as tx:
        whose = tenants.ids(tx) if tenant_id is None else [tenant_id]
        held = {
            name: why
            for name, why in tenants.held(tx, since=tx.now - HELD_LATELY).items()
            if tenant_id in (None, name)
        }
        return Overview(
            now=tx.now,
            open=figures.in_states(tx, whose),
            stuck=_stuck(tx, whose, held),
            owed=figures.owed(tx, whose),
            dead=figures.dead(tx, whose),
            sizes=remembered.of(tx, tenant_id, whose),
            alarms=all_alarms(tx) if tenant_id is None else None,
            drift=drift.every(tx) if tenant_id is None else None,
            cap=_cap(tx, context, tenant_id),
        )


def _stuck(tx: Transaction, whose: Sequence[str], held: Mapping[str, str]) -> Stuck:
    late = figures.behind(tx, whose, since=tx.now - BEHIND_AFTER, held=held)
    return Stuck(figures.awaiting_person(tx, whose), held, late)


def _sizes(tx: Transaction, tenant_id: str | None, whose: Sequence[str]) -> Sizes:
    faults = Counter[Fault]()
    for one in blaming.counts(tx, tenant_id, tx.now - DAY, every=blaming.DAY):
        faults[one.fault] += one.jobs
    costs, cut = figures.costs(tx, whose, since=tx.now - DAY)
    since = day_of(tx.now) - DAYS + 1
    by_day = figures.ledger_by_day(tx, whose, since_day=since)
    days = [(day, by_day.get(day, Sums())) for day in range(since, since + DAYS)]
    hooks, healths = _hooks(tx, tenant_id)
    return Sizes(tx.now, days, dict(faults.most_common()), costs, cut, hooks, healths)


def _hooks(
    tx: Transaction, tenant_id: str | None
) -> tuple[list[tuple[str, HookStanding]], Mapping[Health, int]]:
    """Of the endpoints of these accounts; what is known of removed ones is of no use any more."""
    ours = {
        one.id: one.name if tenant_id is not None else f"{one.tenant_id}/{one.name}"
        for one in accounts.every(tx)
        if tenant_id in (None, one.tenant_id)
    }
    channels = hook_health.in_order(tx, ours.keys())
    worst = hook_health.of_channels(tx, list(channels)[:MOST_HOOKS])
    return [(ours[one.account], one) for one in worst], Counter(channels.values())


def _cap(tx: Transaction, context: Context, tenant_id: str | None) -> float | None:
    if tenant_id is None:
        return None
    own = tenants.get(tx, tenant_id).spend_cap_usd
    return (context.settings.spend_cap_usd if own is None else own) or None
