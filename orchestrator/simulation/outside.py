"""What the product does to the outside, held against the rows: questions, creates, deliveries."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

from orchestrator.core.job import HandOffState, job_of_session
from orchestrator.simulation.checking import Mirror
from orchestrator.simulation.gateway import Answer, GatewayJob, bytes_of
from orchestrator.simulation.invariants import Broken, Invariant, Row
from orchestrator.simulation.scheduler import Activity


@dataclass(slots=True)
class Outside:
    """Judges effects as they happen."""

    mirror: Mirror
    paid: Counter[str] = field(default_factory=Counter)

    def accepted(self, job_id: str) -> Broken:
        """A caller was told that a job is kept."""
        if job_id not in self.mirror.jobs:
            yield Invariant.NOTHING_LOST, f"{job_id} was accepted and never stored"

    def asked(self, activity: Activity, what: str, about: str) -> Broken:
        """A question leaves for the gateway."""
        job = self.mirror.jobs.get(self.mirror.by_gateway_id.get(about) or job_of_session(about))
        if job is not None:
            yield from self.mirror.floor.asked(activity, what, job, self.mirror.now())

    def heard(self, activity: Activity, what: str, about: str, answer: Answer) -> None:
        """An answer of the gateway's reached somebody."""
        if what in ("look", "create"):
            activity.heard[about] = self.mirror.now(), answer
        elif what == "list" and answer.status == 200:
            self.mirror.listed_at = self.mirror.now()

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

    def differs(self, sink: str, name: str, there: bytes, body: bytes) -> Broken:
        """A name that is there was to appear anew; the first stays."""
        outcome = json.loads(there)["outcome"] if name.endswith(".json") else None
        # Overtaken while it was written, how a job ended may be told with a longer timeline.
        if there != body and (outcome is None or json.loads(body)["outcome"] != outcome):
            yield Invariant.ONE_EFFECT, f"{name} was brought to {sink} again, and was not the same"

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
