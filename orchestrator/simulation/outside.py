"""What the product does to the outside, held against the rows: questions, creates, deliveries."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.core import cadence
from orchestrator.core.job import HandOffState, job_of_session
from orchestrator.core.lifecycle import State
from orchestrator.simulation.checking import SETTLED, Broken, Mirror, Row
from orchestrator.simulation.gateway import TERMINAL, GatewayJob, bytes_of
from orchestrator.simulation.invariants import Invariant
from orchestrator.simulation.scheduler import Activity

ABOUT_NOW = 1e-6


@dataclass(slots=True)
class Outside:
    """Judges effects as they happen. `poll_after` is the setting for absent guidance, in seconds."""

    mirror: Mirror
    poll_after: float
    paid: Counter[str] = field(default_factory=Counter)

    def asked(self, activity: Activity, what: str, about: str) -> Broken:
        """A question leaves for the gateway."""
        job = self.mirror.jobs.get(self.mirror.by_gateway_id.get(about, ""))
        if (
            what != "look"
            or job is None
            or job["state"] != State.WAITING
            or job["id"] not in self.mirror.looked
        ):
            return
        # Whoever stalled between its claim and its question may ask late; somebody else has the lease then.
        ours = activity.holds.get(("jobs", job["id"])) == job["fence"]
        last = self.mirror.looked[job["id"]]
        wait = cadence.floor(cadence.Guidance(last["poll_after"]), self.poll_after)
        early = last["last_look_at"] + wait - self.mirror.now()
        if ours and early > ABOUT_NOW:
            yield Invariant.FLOOR, f"{activity.owner.name} looks at {job['id']} {early:.3f} s too early"

    def made(self, made: GatewayJob) -> Broken:
        """The gateway made a job of ours."""
        job_id = job_of_session(made.session_id)
        self.paid[job_id] += 1
        if self.paid[job_id] > 1 + self.mirror.risks[job_id]:
            yield (
                Invariant.PAID_ONCE,
                f"{job_id} is paid {self.paid[job_id]} times, {self.mirror.risks[job_id]} risked",
            )

    def published(self, sink: str, name: str, body: bytes, attempt: int) -> Broken:
        """A name appeared at a destination."""
        stem = name.rpartition(".")[0]
        job_id, _, outcome = stem.partition(".")
        if not outcome:
            job_id, _, index = stem.rpartition("-")
            yield from self._output(sink, name, job_id, int(index), body, attempt)
            return
        owed = self._owed(sink, job_id, outcome=outcome)
        yield from self._wanted(owed, name, attempt)
        if json.loads(body)["job_id"] != job_id:
            yield Invariant.ONE_EFFECT, f"{name} tells of another job"

    def _output(self, sink: str, name: str, job_id: str, index: int, body: bytes, attempt: int) -> Broken:
        job = self.mirror.jobs[job_id]
        made = self.mirror.gateway.jobs[job["gateway_id"]]
        if index >= made.outputs:
            yield Invariant.ONE_EFFECT, f"{name} was brought, and there are {made.outputs} outputs"
        elif body != bytes_of(made, index):
            yield Invariant.ONE_EFFECT, f"{name} was brought with {len(body)} bytes that are not its own"
        yield from self._wanted(self._owed(sink, job_id, index=index), name, attempt)
        there = [
            one for one in self.mirror.sinks[sink].content if one.rpartition(".")[0] == f"{job_id}-{index}"
        ]
        if len(there) > 1:
            yield Invariant.ONE_EFFECT, f"one output is at {sink} as {there}"

    def _wanted(self, owed: Row | None, name: str, attempt: int) -> Broken:
        # An attempt that was under way when its caller cancelled may still come to its end.
        if owed is None or (owed["state"] == HandOffState.WITHDRAWN and attempt >= owed["fence"]):
            yield Invariant.ONE_EFFECT, f"{name} was brought, and nobody wants it"

    def _owed(
        self, sink: str, job_id: str, *, index: int | None = None, outcome: str | None = None
    ) -> Row | None:
        wanted = (job_id, sink, index, outcome)
        names = ("job_id", "destination", "output_index", "outcome")
        found = (
            one for one in self.mirror.hand_offs.values() if tuple(one[name] for name in names) == wanted
        )
        return next(found, None)

    def acknowledged(self, event_id: str) -> Broken:
        """A delivery was answered with 2xx."""
        if event_id not in self.mirror.events:
            yield Invariant.KEPT_BEFORE_ACK, f"{event_id} got a 2xx and is not in the inbox"

    # at the end

    def unfinished(self) -> Iterator[str]:
        """What has not come to its end: jobs, and what is owed for them."""
        for job in self.mirror.jobs.values():
            if job["needs_person"]:
                continue
            if job["state"] not in SETTLED:
                yield f"{job['id']} is {job['state']}, due {self._when(job['due_at'])}"
            elif job["detail_tries"]:
                yield f"{job['id']} waits for details, due {self._when(job['due_at'])}"
        for owed in self.mirror.hand_offs.values():
            if owed["state"] == HandOffState.OWED:
                yield f"{owed['key']} is owed, due {self._when(owed['due_at'])}"

    def missing(self) -> Iterator[str]:
        """What ended without reaching its destinations."""
        for job in self.mirror.jobs.values():
            if (
                job["cancel_requested_at"] is None
                and job["state"] in TERMINAL
                and job["won_by"] != "operator"
            ):
                for sink in json.loads(job["destinations"]):
                    yield from self._lacks(job, sink)

    def _lacks(self, job: Row, sink: str) -> Iterator[str]:
        there = {name.rpartition(".")[0] for name in self.mirror.sinks[sink].content}
        if job["state"] != State.COMPLETED:
            if f"{job['id']}.{job['state']}" not in there:
                yield f"{job['id']} {job['state']}, and {sink} was not told"
            return
        made = self.mirror.gateway.jobs[job["gateway_id"]]
        for index in range(made.outputs):
            dead = {f"{job['id']}.{why}-{index}" for why in ("output_missing", "output_unavailable")}
            brought = f"{job['id']}-{index}" in there
            if not brought and not (made.missing and dead & there):
                yield f"output {index} of {job['id']} is not at {sink}"

    def _when(self, moment: float | None) -> str:
        return "never" if moment is None else f"in {moment - self.mirror.now():.1f} s"
