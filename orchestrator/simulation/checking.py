"""Compares every committed row with what it was before, and with what it may become."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from orchestrator.core.job import job_of_session
from orchestrator.core.lifecycle import State
from orchestrator.engine.follow_up import Task
from orchestrator.simulation.floor import ABOUT_NOW, Floor
from orchestrator.simulation.gateway import TERMINAL, PretendGateway
from orchestrator.simulation.invariants import Broken, Invariant, Row
from orchestrator.simulation.leases import Leases, holds, who
from orchestrator.simulation.owing import Owing
from orchestrator.simulation.scheduler import Activity
from orchestrator.simulation.telling import Telling

SETTLED = ("completed", "failed", "cancelled", "expired", "rejected", "timed_out")
FURTHEST = 3700.0  # seconds ahead that anything may be planned, the deadline apart
_MAY_FOLLOW = {
    "timed_out": ("waiting", "rejected", *TERMINAL),
    "rejected": ("waiting",),
}


@dataclass(slots=True)
class Mirror:
    """All rows as last committed; those of hand-offs are judged by `owing`."""

    now: Callable[[], float]
    leases: Leases
    gateway: PretendGateway
    owing: Owing
    jobs: dict[str, Row]
    floor: Floor = field(default_factory=Floor)
    inbox: dict[int, Row] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)  # the gateway's id of an event → inbox id
    by_gateway_id: dict[str, str] = field(default_factory=dict)
    listed_at: float = 0.0  # when the list last reached anybody
    telling: Telling = field(default_factory=Telling)
    last_seq: Counter[str] = field(default_factory=Counter)
    needed: set[str] = field(default_factory=set)  # jobs for which a person was asked
    told: set[int] = field(default_factory=set)  # inbox ids that are on a timeline
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
            elif table == "observations":
                broken += self._observation(row)
            elif table == "inbox":
                broken += self._inbox(row)
            elif table == "events":
                broken += self.telling.told(row)
            else:
                broken += self.owing.take(activity, table, rowid, row)
        broken += self.owing.settled(activity)
        for job_id in sorted(touched):
            broken += self.telling.settled(self.jobs[job_id])
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
        for owed in self.owing.could_be_done():
            yield Task.HAND_OFF, max(owed["due_at"], free_at(owed))

    def leased_by(self, worker: str) -> bool:
        """Whether any row is leased to this worker."""
        rows = (*self.jobs.values(), *self.owing.rows.values())
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
        if new["needs_person"]:
            self.needed.add(new["id"])
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
        # Where webhooks seem to have stopped, jobs that nobody holds are looked at sooner.
        sooner = new["state"] == State.WAITING and _sooner(old, new) and not self.leases.held(old)
        operator = activity is not None and activity.name == "operator"
        allowed = together or sooner or operator or holds(activity, "jobs", new)
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


def _sooner(old: Row, new: Row) -> bool:
    return None not in (old["due_at"], new["due_at"]) and new["due_at"] < old["due_at"]


def _job_of(entry: Row) -> str:
    return job_of_session(entry["session_id"] or "")
