"""Leases on rows: taken only when nobody holds them, changed only by whoever does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.core.job import HandOffState
from orchestrator.simulation.invariants import Broken, Invariant, Row
from orchestrator.simulation.scheduler import Activity

HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class Leases:
    """`held`: whether a row's lease is live at this moment. `worked_on`: whether anybody works under it."""

    held: Callable[[Row], bool]
    worked_on: Callable[[str, Row], bool]

    def changed(self, table: str, activity: Activity | None, old: Row, new: Row) -> Broken:
        """A row was written; what that did to its lease."""
        name = new["id"]
        if new["fence"] < old["fence"]:
            yield Invariant.ONE_HOLDER, f"the fence of {table} {name} went back"
        elif new["fence"] == old["fence"]:
            same = (old["leased_by"], old["lease_until"]) == (new["leased_by"], new["lease_until"])
            if (
                not same
                and not holds(activity, table, new)
                and not self._given_back(table, activity, old, new)
            ):
                yield (
                    Invariant.OLD_FENCE,
                    f"{who(activity)} changed a lease on {table} {name} that is not its own",
                )
        elif claimed(old, new):
            yield from self._taken(table, activity, old, new)

    def _taken(self, table: str, activity: Activity | None, old: Row, new: Row) -> Broken:
        name = new["id"]
        if not self.held(new):
            yield Invariant.ONE_HOLDER, f"{who(activity)} leased {table} {name}, and the lease is void"
        if self.held(old):
            yield (
                Invariant.ONE_HOLDER,
                f"{who(activity)} leased {table} {name}, held by {old['leased_by']}",
            )
        if activity is not None:
            activity.holds[table, name] = new["fence"]

    def _given_back(self, table: str, activity: Activity | None, old: Row, new: Row) -> bool:
        """A heartbeat frees what its process has leased and nobody in it works on."""
        beats = activity is not None and activity.name == HEARTBEAT
        return beats and new["leased_by"] is None and not self.worked_on(table, old)


def claimed(old: Row, new: Row) -> bool:
    """Whether somebody took a lease on this row; what is withdrawn gets a new fence as well."""
    return bool(new["fence"] > old["fence"] and new["leased_by"] and new["state"] != HandOffState.WITHDRAWN)


def holds(activity: Activity | None, table: str, row: Row) -> bool:
    """Whether this activity took the lease that the row tells of."""
    return activity is not None and activity.holds.get((table, row["id"])) == row["fence"]


def who(activity: Activity | None) -> str:
    """In words, who does something."""
    return "nobody" if activity is None else f"{activity.owner.name} ({activity.name})"
