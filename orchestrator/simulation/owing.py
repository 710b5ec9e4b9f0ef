"""What is owed, and what of it the archive has: held against what it may become."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.job import HandOffKind, HandOffState
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import Outcome, read_route
from orchestrator.simulation.archive import PretendArchive
from orchestrator.simulation.gateway import PretendGateway, bytes_of
from orchestrator.simulation.invariants import Broken, Invariant, Row
from orchestrator.simulation.leases import Leases, claimed, holds, who
from orchestrator.simulation.names import linked
from orchestrator.simulation.process import Process
from orchestrator.simulation.records import Records
from orchestrator.simulation.scheduler import Activity
from orchestrator.simulation.sink import PretendSink

GIVEN_UP = (HandOffState.DEAD, HandOffState.MISSING)


@dataclass(slots=True)
class Owing:
    """Hand-offs and outputs as last committed. `unwanted`: jobs whose callers heard that they are off."""

    now: Callable[[], float]
    leases: Leases
    gateway: PretendGateway
    archive: PretendArchive
    sinks: dict[str, PretendSink]
    unwanted: set[str]
    jobs: dict[str, Row]
    rows: dict[int, Row] = field(default_factory=dict)
    outputs: dict[tuple[str, int], Row] = field(default_factory=dict)
    of_job: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    # The links that a document may tell, by its hand-off and the fence of the attempt.
    links: dict[tuple[int, int], frozenset[int]] = field(default_factory=dict)
    # The outputs that it may say only the gateway has, likewise.
    elsewhere: dict[tuple[int, int], frozenset[int]] = field(default_factory=dict)
    gave_up: set[str] = field(default_factory=set)  # jobs of which an output could not be had for a while
    records: Records = field(default_factory=Records)
    _owed: set[tuple[Any, ...]] = field(default_factory=set)
    _touched: set[str] = field(default_factory=set)  # jobs of hand-offs that were written in it
    _learned: set[str] = field(default_factory=set)  # jobs whose outputs became known in it
    _due: list[Row] = field(default_factory=list)  # what became due in this transaction

    def take(self, activity: Activity | None, table: str, rowid: int, row: Row) -> Broken:
        """A row was committed."""
        if table == "hand_offs":
            self._touched.add(row["job_id"])
            yield from self._hand_off(activity, rowid, row)
        elif table == "attempts":
            yield from self.records.told(row)
        else:
            if (row["job_id"], row["index"]) not in self.outputs:
                self._learned.add(row["job_id"])
            self.outputs[row["job_id"], row["index"]] = row

    # what one row became

    def _hand_off(self, activity: Activity | None, rowid: int, new: Row) -> Broken:
        """One was written; leased as it became owed, it is judged as owed first, and then as claimed."""
        old, self.rows[rowid] = self.rows.get(rowid), new
        anew = old is None or (old["state"] == HandOffState.WITHDRAWN and new["fence"] > old["fence"])
        if anew and new["leased_by"] and new["state"] == HandOffState.OWED:
            before = {"leased_by": None, "lease_until": None}
            owed = new | before | {"fence": new["fence"] - 1, "attempts": new["attempts"] - 1}
            yield from self._written(activity, rowid, old, owed)
            old = owed
        yield from self._written(activity, rowid, old, new)

    def _written(self, activity: Activity | None, rowid: int, old: Row | None, new: Row) -> Broken:
        state = new["state"]
        if new["due_at"] is not None and (old is None or old["due_at"] is None):
            self._due.append(new)
        if state != HandOffState.OWED and new["due_at"] is not None:
            yield Invariant.NOTHING_LOST, f"{new['key']} is {state} and due {new['due_at']}"
        if old is None:
            yield from self._begins(rowid, new)
            return
        if claimed(old, new):
            yield from self._claimed(old, new)
        yield from self.leases.changed("hand_offs", activity, old, new)
        if old["state"] != state:
            yield from self._moved(activity, old, new)
        yield from self.records.changed(activity, old, new)
        hastened = new["due_at"] == self.now()
        put_off = old["due_at"] != new["due_at"] and state == old["state"] and not hastened
        if put_off and old["fence"] == new["fence"] and not holds(activity, "hand_offs", new):
            yield Invariant.OLD_FENCE, f"{who(activity)} put off {new['key']} without holding it"

    def _begins(self, rowid: int, new: Row) -> Broken:
        what = (new["job_id"], new["kind"], new["output_index"], new["outcome"], new["destination"])
        if what in self._owed:
            yield Invariant.ONE_HAND_OFF, f"{new['key']} is owed twice"
        self._owed.add(what)
        self.of_job[new["job_id"]].append(rowid)

    def _claimed(self, old: Row, new: Row) -> Broken:
        key, job = new["key"], self.jobs[new["job_id"]]
        if old["state"] != HandOffState.OWED or old["due_at"] is None or old["due_at"] > self.now():
            yield Invariant.ONE_EFFECT, f"{key} was begun, though {old['state']} and due {old['due_at']}"
        # That it is cancelled, by its caller in time or by its provider before, is told all the same.
        if job["id"] in self.unwanted and job["state"] != State.CANCELLED:
            yield Invariant.ONE_EFFECT, f"{key} was begun after its caller had cancelled"
        if new["outcome"] == Outcome.COMPLETED and self.under_way(job["id"]):
            yield Invariant.ARCHIVE_FIRST, f"{key} is told, and an output is still on its way"
        if new["kind"] == HandOffKind.OUTCOME:
            self.links[new["id"], new["fence"]] = self.archived(job["id"])
            self.elsewhere[new["id"], new["fence"]] = self.left_there(job["id"])

    def _moved(self, activity: Activity | None, old: Row, new: Row) -> Broken:
        key, was, now = new["key"], old["state"], new["state"]
        if was != HandOffState.OWED and not self._may_be_owed_again(activity, old, new):
            yield Invariant.ONE_EFFECT, f"{key} was {was} and became {now}"
        ended = was == HandOffState.OWED and now != HandOffState.WITHDRAWN
        if ended and not holds(activity, "hand_offs", new) and not self._given_up_by(activity, new):
            yield Invariant.OLD_FENCE, f"{who(activity)} ended {key} without holding it"
        if new["kind"] == HandOffKind.ARCHIVE and now in GIVEN_UP:
            self.gave_up.add(new["job_id"])
        if now == HandOffState.DONE:
            yield from self._is_there(new)

    def _may_be_owed_again(self, activity: Activity | None, old: Row, new: Row) -> bool:
        was, kind = old["state"], new["kind"]
        if new["state"] != HandOffState.OWED:
            return False
        if was == HandOffState.WITHDRAWN:
            # What was adopted after its deadline may time out once more.
            return bool(new["outcome"] == State.TIMED_OUT)
        if was in GIVEN_UP:
            operator = activity is not None and activity.name == "operator"
            return operator or (was == HandOffState.MISSING and kind != HandOffKind.ARCHIVE)
        if kind == HandOffKind.ARCHIVE:
            return old["sha256"] in self.archive.harmed
        return bool(new["generation"] == old["generation"] + 1 and self._has_news(old))

    def _has_news(self, told: Row) -> bool:
        """Whether a document can tell of an output that it did not tell of before."""
        place, _, name = told["location"].partition(":")
        before = linked(self.sinks[place].content[name])
        job_id = told["job_id"]
        return told["outcome"] == Outcome.COMPLETED and (
            job_id in self.gave_up or bool(self.archived(job_id) - before)
        )

    def _given_up_by(self, activity: Activity | None, new: Row) -> bool:
        """What waits for an output is ended by whoever holds its way to the archive."""
        if new["state"] != HandOffState.MISSING or new["kind"] == HandOffKind.ARCHIVE:
            return False
        ways = (
            row for row in self._ways(new["job_id"]) if new["output_index"] in (None, row["output_index"])
        )
        return any(holds(activity, "hand_offs", row) for row in ways)

    def _is_there(self, done: Row) -> Broken:
        key, (place, _, name) = done["key"], (done["location"] or "").partition(":")
        if done["kind"] == HandOffKind.ARCHIVE:
            job = self.gateway.jobs[self.jobs[done["job_id"]]["gateway_id"]]
            there = name == done["sha256"] and (self.archive.sound(name) or name in self.archive.lacking)
            if not there or not self.archive.sound(name, bytes_of(job, done["output_index"])):
                yield Invariant.ONE_EFFECT, f"{key} is done, and the archive does not have that output"
        elif place not in self.sinks or not self.sinks[place].holds(name, done["sha256"]):
            yield Invariant.ONE_EFFECT, f"{key} is done, and {done['location']} does not hold it"

    # what came with it

    def settled(self, activity: Activity | None) -> Broken:
        """All rows of a transaction were taken."""
        yield from self.records.settled()
        for job_id in sorted(self._learned):
            yield from self._kept_rightly(activity, job_id)
        for row in self._due:
            yield from self._due_rightly(row)
        for job_id in sorted(self._touched):
            yield from self._waits_rightly(job_id)
        self._learned.clear()
        self._due.clear()
        self._touched.clear()

    def _kept_rightly(self, activity: Activity | None, job_id: str) -> Broken:
        """Outputs are owed to the archive where they are kept, and by files that were promised before."""
        if activity is None or self.jobs[job_id]["cancel_requested_at"] is not None:
            return
        assert isinstance(activity.owner, Process)
        routes = map(read_route, json.loads(self.jobs[job_id]["destinations"]))
        kept = activity.owner.context.settings.keep_outputs or any(route.brings_files for route in routes)
        known = {index for whose, index in self.outputs if whose == job_id}
        if {row["output_index"] for row in self._ways(job_id)} != (known if kept else set()):
            yield Invariant.KEPT_AS_SET, f"{job_id} is {'not kept' if kept else 'kept'}, against the setting"

    def _due_rightly(self, row: Row) -> Broken:
        job_id, kind = row["job_id"], row["kind"]
        if kind == HandOffKind.OUTPUT and row["output_index"] not in self.archived(job_id):
            yield Invariant.ARCHIVE_FIRST, f"{row['key']} is due, and the archive does not have it"
        if row["outcome"] == Outcome.COMPLETED and self.under_way(job_id):
            yield Invariant.ARCHIVE_FIRST, f"{row['key']} is due, and an output is still on its way"

    def _waits_rightly(self, job_id: str) -> Broken:
        """What is owed and never due has something to wait for."""
        ways = None
        for rowid in self.of_job[job_id]:
            row = self.rows[rowid]
            if row["state"] != HandOffState.OWED or row["due_at"] is not None:
                continue
            ways = set(self.on_its_way(job_id)) if ways is None else ways
            output = row["kind"] == HandOffKind.OUTPUT and row["output_index"] in ways
            if not output and not (row["outcome"] == Outcome.COMPLETED and ways):
                yield Invariant.NOTHING_LOST, f"{row['key']} is owed and never due, and waits for nothing"

    # what is known

    def archived(self, job_id: str) -> frozenset[int]:
        """The outputs that the archive has, as far as the rows tell."""
        here = (self.outputs.get((job_id, row["output_index"])) for row in self._ways(job_id))
        return frozenset(one["index"] for one in here if one is not None and one["archived_at"] is not None)

    def on_its_way(self, job_id: str) -> Iterator[int]:
        """The outputs that are still to be brought to the archive."""
        return (row["output_index"] for row in self._ways(job_id) if row["state"] == HandOffState.OWED)

    def could_be_done(self) -> Iterator[Row]:
        """What nothing but its time, or a lease, holds up."""
        for row in self.rows.values():
            if row["due_at"] is None:
                continue
            if row["kind"] == HandOffKind.ARCHIVE:
                if row["output_index"] == next(self.on_its_way(row["job_id"]), None):
                    yield row  # further outputs wait for the first one
            elif row["outcome"] != Outcome.COMPLETED or not self.under_way(row["job_id"]):
                yield row

    def under_way(self, job_id: str) -> bool:
        """Whether any output is still to be brought to the archive."""
        return next(self.on_its_way(job_id), None) is not None

    def left_there(self, job_id: str) -> frozenset[int]:
        """The outputs that are known, and that only the gateway has and is to have."""
        known = (index for whose, index in self.outputs if whose == job_id)
        return frozenset(index for index in known if self.way(job_id, index) is None)

    def way(self, job_id: str, index: int) -> Row | None:
        """How an output gets to the archive."""
        return next((row for row in self._ways(job_id) if row["output_index"] == index), None)

    def _ways(self, job_id: str) -> Iterator[Row]:
        every = (self.rows[rowid] for rowid in self.of_job[job_id])
        return (row for row in every if row["kind"] == HandOffKind.ARCHIVE)
