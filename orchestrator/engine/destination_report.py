"""Each destination as a person is shown it: what it is for, whether it takes anything, what is owed there.

A tenant is shown what its own jobs may name, and of what is owed there its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from orchestrator.core.job import HandOff
from orchestrator.core.routes import ARCHIVE
from orchestrator.engine.catalogue import BUILT_IN, Destination
from orchestrator.engine.context import Context
from orchestrator.errors import NotFound
from orchestrator.store import dead_letters, destination_counts, destinations
from orchestrator.store.database import Transaction
from orchestrator.store.dead_letters import Matching
from orchestrator.store.destinations import Failing

MOST = 10_000  # that are counted
FAILURES_SHOWN = 10


class Standing(StrEnum):
    """Whether something is taken there."""

    OPEN = "open"  # all that is due
    FAILING = "failing"  # all that is due, though the latest attempts failed
    SHUT = "shut"  # one try now and then, after too many failures in a row
    DISABLED = "disabled"  # nothing, until a person enables it: it said that it wants nothing any more


@dataclass(frozen=True, slots=True)
class Report:
    """One destination. `owed` and `dead` are beyond `MOST` where there are more.

    `own`: only this tenant's jobs go there, or whoever asks sees those of all tenants.
    """

    name: str
    about: Destination | None
    kind: str
    source: str
    default: bool
    standing: Standing
    failing: Failing | None
    owed: int
    dead: int
    own: bool
    options: Mapping[str, Any] = field(repr=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failures:
    """The latest that failed: tried again, and given up."""

    waiting: list[HandOff]
    dead: list[HandOff]


def every(context: Context, tenant_id: str | None) -> list[Report]:
    """All that this tenant's jobs may name, or all there are; the archive last, which all share.

    Where outputs are not kept, the archive is there for as long as something is left to do about it.
    """
    there = _there(context, tenant_id)
    with context.store.read() as tx:
        failing = destinations.failing(tx)
        found = [_report(tx, tenant_id, one.name, one, failing) for one in there]
        archive = _archive(context, tx, tenant_id, failing)
        return [*found, archive] if archive.default or archive.owed or archive.dead else found


def one(context: Context, tenant_id: str | None, name: str) -> tuple[Report, Failures]:
    """The one of this name, and what failed there last. Raises NotFound, also for another tenant's."""
    about = next((there for there in _there(context, tenant_id) if there.name == name), None)
    if about is None and name != ARCHIVE:
        raise NotFound(f"there is no destination {name}", hint="the page of all destinations has their names")
    with context.store.read() as tx:
        failing = destinations.failing(tx)
        report = (
            _archive(context, tx, tenant_id, failing)
            if about is None
            else _report(tx, tenant_id, name, about, failing)
        )
        waiting = destination_counts.failed(tx, tenant_id, name, limit=FAILURES_SHOWN)
        dead = dead_letters.latest(tx, tenant_id, Matching(name), limit=FAILURES_SHOWN)
        return report, Failures(waiting, dead)


def _there(context: Context, tenant_id: str | None) -> Iterable[Destination]:
    catalogue = context.destinations
    return list((catalogue if tenant_id is None else catalogue.of_tenant(tenant_id)).values())


def _archive(
    context: Context, tx: Transaction, tenant_id: str | None, failing: Mapping[str, Failing]
) -> Report:
    report = _report(tx, tenant_id, ARCHIVE, None, failing)
    return replace(report, default=context.settings.keep_outputs)


def _report(
    tx: Transaction,
    tenant_id: str | None,
    name: str,
    about: Destination | None,
    failing: Mapping[str, Failing],
) -> Report:
    return Report(
        name,
        about,
        kind=about.kind if about else ARCHIVE,
        source=about.source if about else BUILT_IN,
        default=about is None or about.default,
        standing=_standing(failing.get(name)),
        failing=failing.get(name),
        owed=destination_counts.owed(tx, tenant_id, name, most=MOST + 1),
        dead=dead_letters.count(tx, tenant_id, Matching(name), most=MOST + 1),
        own=tenant_id is None or (about is not None and about.tenants == (tenant_id,)),
        options=about.options if about else {},
    )


def _standing(failing: Failing | None) -> Standing:
    if failing is None:
        return Standing.OPEN
    if failing.disabled_at is not None:
        return Standing.DISABLED
    return Standing.FAILING if failing.shut_until is None else Standing.SHUT
