"""Whether each attempt at a hand-off is on record: by whoever ended it, or as lost by who began the next."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from orchestrator.core.job import HandOffState
from orchestrator.simulation.invariants import Broken, Invariant, Row
from orchestrator.simulation.leases import claimed, holds
from orchestrator.simulation.scheduler import Activity
from orchestrator.store.attempts import Result


@dataclass(slots=True)
class Records:
    """What is on record, by the ids of hand-offs; the last three of one transaction."""

    _numbers: Counter[int] = field(default_factory=Counter)  # of the last attempt
    _at: dict[tuple[int, int], float] = field(default_factory=dict)  # when an attempt ended, by its number
    _begun: dict[int, Row] = field(default_factory=dict)
    _ended: dict[int, int] = field(default_factory=dict)  # by its holder: the number of the attempt
    _told: Counter[int] = field(default_factory=Counter)

    def changed(self, activity: Activity | None, old: Row, new: Row) -> Broken:
        """A hand-off was written."""
        if claimed(old, new):
            self._begun[new["id"]] = new
        if new["attempts"] < old["attempts"]:
            self._numbers[new["id"]] = min(new["attempts"], self._numbers[new["id"]])
            if old["state"] == HandOffState.OWED and not holds(activity, "hand_offs", new):
                yield Invariant.ATTEMPTS_KEPT, f"{new['key']} forgot its {old['attempts']} attempts"
        elif old["leased_by"] and not new["leased_by"] and holds(activity, "hand_offs", new):
            self._ended[new["id"]] = old["attempts"]

    def told(self, row: Row) -> Broken:
        """An attempt was put on record."""
        number, rowid = row["number"], row["hand_off_id"]
        if row["result"] == Result.LOST:
            rightly = rowid in self._begun and number == self._begun[rowid]["attempts"] - 1
        else:
            self._told[rowid] += 1
            rightly = number == self._ended.get(rowid)
        if number <= self._numbers[rowid] or not rightly:
            yield Invariant.ATTEMPTS_KEPT, f"{row['key']}: attempt {number} after {self._numbers[rowid]}"
        self._numbers[rowid] = number
        self._at[rowid, number] = row["ended_at"]

    def settled(self) -> Broken:
        """All rows of a transaction were taken."""
        for rowid in self._ended:
            if self._told[rowid] != 1:
                yield Invariant.ATTEMPTS_KEPT, f"hand-off {rowid} ended {self._told[rowid]} times on record"
        for rowid, row in self._begun.items():
            before, known = row["attempts"] - 1, self._numbers[rowid]
            # Here no time may pass between an attempt and that something is owed anew: then nobody can tell.
            same_moment = self._at.get((rowid, before)) == row["created_at"]
            if before != known and not same_moment:
                yield Invariant.ATTEMPTS_KEPT, f"{row['key']}: attempt {before + 1} begins after {known}"
        self._begun.clear()
        self._ended.clear()
        self._told.clear()
