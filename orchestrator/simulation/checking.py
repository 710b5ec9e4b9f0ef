"""Compares every committed row with what it was before, and with what it may become."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.job import HandOffState
from orchestrator.core.lifecycle import State
from orchestrator.engine.follow_up import Task
from orchestrator.simulation.gateway import TERMINAL, PretendGateway
from orchestrator.simulation.invariants import Invariant
from orchestrator.simulation.scheduler import Activity
from orchestrator.simulation.sink import PretendSink

Row = dict[str, Any]
Broken = Iterator[tuple[Invariant, str]]

SETTLED = ("completed", "failed", "cancelled", "expired", "rejected", "timed_out")
FURTHEST = 3700.0  # seconds ahead that anything may be planned, the deadline apart
_MAY_FOLLOW = {
    "timed_out": ("waiting", "rejected", *TERMINAL),
    "rejected": ("waiting",),
}


@dataclass(slots=True)
class Mirror:
    """All rows as last committed. `held` says whether a row's lease is live at this moment."""

    now: Callable[[], float]
    held: Callable[[Row], bool]
    gateway: PretendGateway
    sinks: dict[str, PretendSink]
    jobs: dict[str, Row] = field(default_factory=dict)
    hand_offs: dict[int, Row] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    outputs: dict[tuple[str, int], Row] = field(default_factory=dict)
    by_gateway_id: dict[str, str] = field(default_factory=dict)
    looked: dict[str, Row] = field(default_factory=dict)  # the row as the last look's leaseholder left it
    last_seq: Counter[str] = field(default_factory=Counter)
    told: set[int] = field(default_factory=set)  # inbox ids that are on a timeline
    owed: set[tuple[Any, ...]] = field(default_factory=set)
    risks: Counter[str] = field(default_factory=Counter)  # resubmissions by job

    def take(
        self, activity: Activity | None, changed: list[tuple[str, int, Row]]
    ) -> list[tuple[Invariant, str]]:
        """A transaction was committed; returns what it broke."""
        broken: list[tuple[Invariant, str]] = []
        touched = set()
        for table, rowid, row in changed:
            if table == "jobs":
                touched.add(row["id"])
                broken += self._job(activity, self.jobs.get(row["id"]), row)
                self.jobs[row["id"]] = row
                if row["gateway_id"]:
                    self.by_gateway_id[row["gateway_id"]] = row["id"]
            elif table == "hand_offs":
                broken += self._hand_off(activity, self.hand_offs.get(rowid), row)
                self.hand_offs[rowid] = row
            elif table == "observations":
                broken += self._observation(row)
            elif table == "inbox":
                broken += self._inbox(row)
            else:
                self.outputs[row["job_id"], row["index"]] = row
        for job_id in sorted(touched):
            if self.jobs[job_id]["next_seq"] != self.last_seq[job_id] + 1:
                broken.append((Invariant.NO_GAPS, f"{job_id} counts on from {self.jobs[job_id]['next_seq']}"))
        return broken

    def moments(self, free_at: Callable[[Row], float]) -> Iterator[tuple[Task, float]]:
        """When each thing that is to be done can be done; an abandoned create is found by a sweep."""
        for job in self.jobs.values():
            state, due_at = job["state"], job["due_at"]
            if state == State.CREATING:
                yield Task.SWEEP, free_at(job)
            elif due_at is not None:
                yield Task.CREATE if state == State.ACCEPTED else Task.LOOK, max(due_at, free_at(job))
        first: dict[tuple[str, str], Row] = {}
        for owed in self.hand_offs.values():
            if owed["state"] != HandOffState.OWED:
                continue
            # Further outputs wait for the first one.
            known = first.setdefault((owed["job_id"], owed["destination"]), owed)
            if owed is known or owed["output_index"] is None:
                yield Task.HAND_OFF, max(owed["due_at"], free_at(owed))

    # jobs

    def _job(self, activity: Activity | None, old: Row | None, new: Row) -> Broken:
        yield from self._planned(new)
        if old is None:
            return
        if old["state"] != new["state"]:
            yield from self._moved(old, new)
        elif old["state"] in SETTLED and (old["settled_at"], old["won_by"]) != (
            new["settled_at"],
            new["won_by"],
        ):
            yield Invariant.ONE_WINNER, f"{new['id']} was {old['state']} and is so anew"
        yield from self._leased("jobs", activity, old, new)
        if old["last_look_at"] != new["last_look_at"] and _holds(activity, "jobs", old):
            self.looked[new["id"]] = new
        quiet = all(old[name] == new[name] for name in ("state", "next_seq", "detail_tries", "fence"))
        # While the gateway is away, one create puts off all that wait and that nobody holds.
        together = new["state"] == State.ACCEPTED and not self.held(old)
        put_off = quiet and old["due_at"] != new["due_at"]
        if put_off and not together and not _may(activity, "jobs", new):
            yield Invariant.OLD_FENCE, f"{_who(activity)} put off {new['id']} without holding it"

    def _planned(self, job: Row) -> Broken:
        state, due_at = job["state"], job["due_at"]
        if state == State.CREATING:
            if job["leased_by"] is None or job["lease_until"] is None:
                yield Invariant.NOTHING_LOST, f"{job['id']} is creating and nobody does it"
        elif due_at is None:
            if state not in SETTLED or job["detail_tries"]:
                yield Invariant.NOTHING_LOST, f"{job['id']} is {state} and never due"
        elif due_at > max(job["deadline_at"], self.now() + FURTHEST):
            yield Invariant.NOTHING_LOST, f"{job['id']} is due in {due_at - self.now():.0f} s only"

    def _moved(self, old: Row, new: Row) -> Broken:
        was, now = old["state"], new["state"]
        if was in SETTLED and now not in _MAY_FOLLOW.get(was, ()):
            yield Invariant.ONE_WINNER, f"{new['id']} was {was} and became {now}"
        if now not in TERMINAL or new["won_by"] == "operator":
            return
        job = self.gateway.jobs.get(new["gateway_id"] or "")
        if job is None:
            yield Invariant.TRUE_TO_GATEWAY, f"{new['id']} became {now} without a job of the gateway's"
        elif job.stored != now and not (now == job.ending == "completed" and self.gateway.ended(job)):
            yield Invariant.TRUE_TO_GATEWAY, f"{new['id']} became {now}, the gateway keeps {job.stored}"

    # leases

    def _leased(self, table: str, activity: Activity | None, old: Row, new: Row) -> Broken:
        name = new["id"]
        if new["fence"] < old["fence"]:
            yield Invariant.ONE_HOLDER, f"the fence of {table} {name} went back"
        elif new["fence"] == old["fence"]:
            same = (old["leased_by"], old["lease_until"]) == (new["leased_by"], new["lease_until"])
            if not same and not _holds(activity, table, new):
                yield (
                    Invariant.OLD_FENCE,
                    f"{_who(activity)} changed a lease on {table} {name} that is not its own",
                )
        elif _claimed(old, new):
            if not self.held(new):
                yield Invariant.ONE_HOLDER, f"{_who(activity)} leased {table} {name}, and the lease is void"
            if self.held(old):
                yield (
                    Invariant.ONE_HOLDER,
                    f"{_who(activity)} leased {table} {name}, held by {old['leased_by']}",
                )
            if activity is not None:
                activity.holds[table, name] = new["fence"]

    # hand-offs

    def _hand_off(self, activity: Activity | None, old: Row | None, new: Row) -> Broken:
        state, key = new["state"], new["key"]
        if (state == HandOffState.OWED) != (new["due_at"] is not None):
            yield Invariant.NOTHING_LOST, f"{key} is {state} and due {new['due_at']}"
        if old is None:
            what = (new["job_id"], new["output_index"], new["outcome"], new["destination"])
            if what in self.owed:
                yield Invariant.ONE_HAND_OFF, f"{key} is owed twice"
            self.owed.add(what)
            return
        if _claimed(old, new) and (old["state"] != HandOffState.OWED or old["due_at"] > self.now()):
            yield Invariant.ONE_EFFECT, f"{key} was begun, though {old['state']} and due {old['due_at']}"
        yield from self._leased("hand_offs", activity, old, new)
        if old["state"] != state:
            yield from self._hand_off_moved(activity, old, new)
        hastened = new["due_at"] == self.now()
        put_off = old["due_at"] != new["due_at"] and state == old["state"] and not hastened
        if put_off and old["fence"] == new["fence"] and not _holds(activity, "hand_offs", new):
            yield Invariant.OLD_FENCE, f"{_who(activity)} put off {key} without holding it"

    def _hand_off_moved(self, activity: Activity | None, old: Row, new: Row) -> Broken:
        key, was, now = new["key"], old["state"], new["state"]
        if was in (HandOffState.DONE, HandOffState.WITHDRAWN):
            yield Invariant.ONE_EFFECT, f"{key} was {was} and became {now}"
        ended = was == HandOffState.OWED and now != HandOffState.WITHDRAWN
        if ended and not _holds(activity, "hand_offs", new):
            yield Invariant.OLD_FENCE, f"{_who(activity)} ended {key} without holding it"
        if now == HandOffState.DONE:
            place, _, name = (new["location"] or "").partition(":")
            body = self.sinks[place].content.get(name) if place in self.sinks else None
            if body is None or hashlib.sha256(body).hexdigest() != new["sha256"]:
                yield Invariant.ONE_EFFECT, f"{key} is done, and {new['location']} does not hold it"

    # what was learned

    def _observation(self, row: Row) -> Broken:
        job_id, seq = row["job_id"], row["seq"]
        if seq != self.last_seq[job_id] + 1:
            yield Invariant.NO_GAPS, f"{job_id} got observation {seq} after {self.last_seq[job_id]}"
        self.last_seq[job_id] = seq
        if row["seen"] == "resubmit" and row["verdict"] == "moved":
            self.risks[job_id] += 1
        entry = row["inbox_id"]
        if entry is not None and entry in self.told and row["verdict"] != "moved":
            yield Invariant.EVENT_ONCE, f"{job_id} was told of inbox entry {entry} twice"
        if entry is not None:
            self.told.add(entry)

    def _inbox(self, row: Row) -> Broken:
        known = self.events.setdefault(row["event_key"], row["id"])
        if known != row["id"]:
            yield Invariant.EVENT_ONCE, f"{row['event_key']} is in the inbox twice"


def _claimed(old: Row, new: Row) -> bool:
    """Whether somebody took a lease on this row; what is withdrawn gets a new fence as well."""
    return bool(new["fence"] > old["fence"] and new["leased_by"] and new["state"] != HandOffState.WITHDRAWN)


def _holds(activity: Activity | None, table: str, row: Row) -> bool:
    """Whether this activity took the lease that the row tells of."""
    return activity is not None and activity.holds.get((table, row["id"])) == row["fence"]


def _may(activity: Activity | None, table: str, row: Row) -> bool:
    return _holds(activity, table, row) or (activity is not None and activity.name == "operator")


def _who(activity: Activity | None) -> str:
    return "nobody" if activity is None else f"{activity.owner.name} ({activity.name})"
