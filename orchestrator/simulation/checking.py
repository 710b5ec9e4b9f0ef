"""Compares every committed row with what it was before, and with what it may become."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.job import HandOffState, job_of_session
from orchestrator.core.lifecycle import State
from orchestrator.engine.follow_up import Task
from orchestrator.simulation.floor import ABOUT_NOW, Floor
from orchestrator.simulation.gateway import TERMINAL, PretendGateway
from orchestrator.simulation.invariants import Broken, Invariant, Row
from orchestrator.simulation.leases import Leases, claimed, holds, who
from orchestrator.simulation.scheduler import Activity
from orchestrator.simulation.sink import PretendSink

SETTLED = ("completed", "failed", "cancelled", "expired", "rejected", "timed_out")
FURTHEST = 3700.0  # seconds ahead that anything may be planned, the deadline apart
_MAY_FOLLOW = {
    "timed_out": ("waiting", "rejected", *TERMINAL),
    "rejected": ("waiting",),
}


@dataclass(slots=True)
class Mirror:
    """All rows as last committed. `unwanted` are the jobs whose callers were told that they are cancelled."""

    now: Callable[[], float]
    leases: Leases
    gateway: PretendGateway
    sinks: dict[str, PretendSink]
    unwanted: set[str]
    floor: Floor = field(default_factory=Floor)
    jobs: dict[str, Row] = field(default_factory=dict)
    hand_offs: dict[int, Row] = field(default_factory=dict)
    inbox: dict[int, Row] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)  # the gateway's id of an event → inbox id
    outputs: dict[tuple[str, int], Row] = field(default_factory=dict)
    by_gateway_id: dict[str, str] = field(default_factory=dict)
    listed_at: float = 0.0  # when the list last reached anybody
    last_seq: Counter[str] = field(default_factory=Counter)
    told: set[int] = field(default_factory=set)  # inbox ids that are on a timeline
    owed: set[tuple[Any, ...]] = field(default_factory=set)
    risks: Counter[str] = field(default_factory=Counter)  # resubmissions by job
    uncertain_since: dict[str, float] = field(default_factory=dict)

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
        """When each thing that is to be done can be done."""
        for job in self.jobs.values():
            state, due_at = job["state"], job["due_at"]
            if state == State.CREATING:
                yield Task.SWEEP, free_at(job)  # it finds creates that were abandoned
            elif due_at is not None:
                yield Task.CREATE if state == State.ACCEPTED else Task.LOOK, max(due_at, free_at(job))
        for _ in self.unmatched():
            yield Task.SWEEP, self.now()
        first: dict[tuple[str, str], Row] = {}
        for owed in self.hand_offs.values():
            if owed["state"] != HandOffState.OWED:
                continue
            # Further outputs wait for the first one.
            known = first.setdefault((owed["job_id"], owed["destination"]), owed)
            if owed is known or owed["output_index"] is None:
                yield Task.HAND_OFF, max(owed["due_at"], free_at(owed))

    def leased_by(self, worker: str) -> bool:
        """Whether any row is leased to this worker."""
        rows = (*self.jobs.values(), *self.hand_offs.values())
        return any(row["leased_by"] == worker for row in rows)

    def unmatched(self) -> Iterator[Row]:
        """Webhooks that wait for a job which is known."""
        return (
            entry
            for entry in self.inbox.values()
            if entry["state"] == "waiting"
            and (entry["gateway_id"] in self.by_gateway_id or _job_of(entry) in self.jobs)
        )

    # jobs

    def _job(self, activity: Activity | None, old: Row | None, new: Row) -> Broken:
        if old is not None:
            yield from self._changed(activity, old, new)
        yield from self._planned(old, new)

    def _changed(self, activity: Activity | None, old: Row, new: Row) -> Broken:
        if old["state"] != new["state"]:
            yield from self._moved(old, new)
        elif old["state"] in SETTLED and (old["settled_at"], old["won_by"]) != (
            new["settled_at"],
            new["won_by"],
        ):
            yield Invariant.ONE_WINNER, f"{new['id']} was {old['state']} and is so anew"
        self.floor.kept(activity, old, new, self.now())
        yield from self.leases.changed("jobs", activity, old, new)
        quiet = all(old[name] == new[name] for name in ("state", "next_seq", "detail_tries", "fence"))
        # While the gateway is away, one create puts off all that wait and that nobody holds.
        together = new["state"] == State.ACCEPTED and not self.leases.held(old)
        operator = activity is not None and activity.name == "operator"
        allowed = together or operator or holds(activity, "jobs", new)
        if quiet and old["due_at"] != new["due_at"] and not allowed:
            yield Invariant.OLD_FENCE, f"{who(activity)} put off {new['id']} without holding it"

    def _planned(self, old: Row | None, job: Row) -> Broken:
        state, due_at = job["state"], job["due_at"]
        if state == State.CREATING:
            begun = old is None or old["state"] != State.CREATING
            if begun and (job["leased_by"] is None or job["lease_until"] is None):
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
        if now == State.UNCERTAIN:
            self.uncertain_since[new["id"]] = self.now()
        if new["won_by"] != "operator":
            yield from self._true(old, new)

    def _true(self, old: Row, new: Row) -> Broken:
        now, job = new["state"], self.gateway.jobs.get(new["gateway_id"] or "")
        left = old["deadline_at"] - self.now()
        if now == State.TIMED_OUT and left > ABOUT_NOW:
            yield Invariant.TRUE_TO_GATEWAY, f"{new['id']} timed out {left:.1f} s before its deadline"
        if now == State.REJECTED and self.gateway.made_for(new["session_id"]):
            yield Invariant.TRUE_TO_GATEWAY, f"{new['id']} is rejected, and its create made a job"
        if now not in TERMINAL:
            return
        if job is None:
            yield Invariant.TRUE_TO_GATEWAY, f"{new['id']} became {now} without a job of the gateway's"
        elif job.stored != now and not (now == State.COMPLETED and now in job.shown):
            yield Invariant.TRUE_TO_GATEWAY, f"{new['id']} became {now}, the gateway keeps {job.stored}"

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
        if claimed(old, new):
            yield from self._begun(old, new)
        yield from self.leases.changed("hand_offs", activity, old, new)
        if old["state"] != state:
            yield from self._hand_off_moved(activity, old, new)
        hastened = new["due_at"] == self.now()
        put_off = old["due_at"] != new["due_at"] and state == old["state"] and not hastened
        if put_off and old["fence"] == new["fence"] and not holds(activity, "hand_offs", new):
            yield Invariant.OLD_FENCE, f"{who(activity)} put off {key} without holding it"

    def _begun(self, old: Row, new: Row) -> Broken:
        key, job = new["key"], self.jobs[new["job_id"]]
        if old["state"] != HandOffState.OWED or old["due_at"] > self.now():
            yield Invariant.ONE_EFFECT, f"{key} was begun, though {old['state']} and due {old['due_at']}"
        # That it is cancelled, by its caller in time or by its provider before, is told all the same.
        if job["id"] in self.unwanted and job["state"] != State.CANCELLED:
            yield Invariant.ONE_EFFECT, f"{key} was begun after its caller had cancelled"

    def _hand_off_moved(self, activity: Activity | None, old: Row, new: Row) -> Broken:
        key, was, now = new["key"], old["state"], new["state"]
        # What was adopted after its deadline may time out once more.
        again = (was, now, new["outcome"]) == (HandOffState.WITHDRAWN, HandOffState.OWED, State.TIMED_OUT)
        if was in (HandOffState.DONE, HandOffState.WITHDRAWN) and not again:
            yield Invariant.ONE_EFFECT, f"{key} was {was} and became {now}"
        ended = was == HandOffState.OWED and now != HandOffState.WITHDRAWN
        if ended and not holds(activity, "hand_offs", new):
            yield Invariant.OLD_FENCE, f"{who(activity)} ended {key} without holding it"
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
            if row["source"] == "clock" and self.listed_at < self.uncertain_since[job_id]:
                yield Invariant.PAID_ONCE, f"{job_id} is risked again, and nobody could search for the first"
        if row["inbox_id"] is not None:
            yield from self._told(job_id, row["inbox_id"], row["verdict"])

    def _told(self, job_id: str, entry: int, verdict: str) -> Broken:
        if entry in self.told and verdict != "moved":
            yield Invariant.EVENT_ONCE, f"{job_id} was told of inbox entry {entry} twice"
        self.told.add(entry)

    def _inbox(self, row: Row) -> Broken:
        self.inbox[row["id"]] = row
        event = json.loads(row["body"])["id"]  # whatever the product takes for its key
        known = self.events.setdefault(event, row["id"])
        if known != row["id"]:
            yield Invariant.EVENT_ONCE, f"{event} is in the inbox twice"


def _job_of(entry: Row) -> str:
    return job_of_session(entry["session_id"] or "")
