"""What the product does to the outside, held against the rows: questions, creates, deliveries."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

from orchestrator.core.job import HandOffState, job_of_session
from orchestrator.simulation.checking import Mirror
from orchestrator.simulation.gateway import Answer, GatewayJob, bytes_of
from orchestrator.simulation.invariants import Broken, Invariant, Row
from orchestrator.simulation.leases import holds
from orchestrator.simulation.names import Named, left_there, linked, read_name
from orchestrator.simulation.scheduler import Activity


@dataclass(slots=True)
class Outside:
    """Judges effects as they happen."""

    mirror: Mirror
    paid: Counter[str] = field(default_factory=Counter)
    fetched: set[tuple[int, int]] = field(default_factory=set)  # ways to the archive, and fences

    def accepted(self, job_id: str) -> Broken:
        """A caller was told that a job is kept."""
        if job_id not in self.mirror.jobs:
            yield Invariant.NOTHING_LOST, f"{job_id} was accepted and never stored"

    def asked(self, activity: Activity, what: str, about: str) -> Broken:
        """A question leaves for the gateway."""
        if what == "content":
            yield from self._fetched(activity, about)
            return
        job = self.mirror.jobs.get(self.mirror.by_gateway_id.get(about) or job_of_session(about))
        if job is not None:
            yield from self.mirror.floor.asked(activity, what, job, self.mirror.now())

    def _fetched(self, activity: Activity, about: str) -> Broken:
        gateway_id, _, index = about.partition("/")
        owing, job_id = self.mirror.owing, self.mirror.by_gateway_id[gateway_id]
        way, output = owing.way(job_id, int(index)), owing.outputs[job_id, int(index)]
        fence = None if way is None else activity.holds.get(("hand_offs", way["id"]))
        if way is None or fence is None or (way["id"], fence) in self.fetched:
            yield Invariant.FETCHED_ONCE, f"output {index} of {job_id} is fetched by no attempt of its own"
            return
        self.fetched.add((way["id"], fence))
        # Who stood still since its claim may ask although somebody else has brought it meanwhile.
        had = output["archived_at"] is not None and owing.archive.sound(output["sha256"])
        if had and holds(activity, "hand_offs", way):
            yield Invariant.FETCHED_ONCE, f"output {index} of {job_id} is fetched, and the archive has it"

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
        named = read_name(name)
        owed = self._owed(sink, named)
        # An attempt that was under way when its caller cancelled may still come to its end.
        if owed is None or (owed["state"] == HandOffState.WITHDRAWN and attempt >= owed["fence"]):
            yield Invariant.ONE_EFFECT, f"{name} was brought, and nobody wants it"
        elif named.index is not None:
            yield from self._output(sink, name, named, body)
        else:
            yield from self._document(owed, name, body, attempt)

    def _output(self, sink: str, name: str, named: Named, body: bytes) -> Broken:
        job_id, index = named.job_id, named.index
        assert index is not None
        made = self.mirror.gateway.jobs[self.mirror.jobs[job_id]["gateway_id"]]
        if index >= made.outputs:
            yield Invariant.ONE_EFFECT, f"{name} was brought, and there are {made.outputs} outputs"
        elif body != bytes_of(made, index):
            yield Invariant.ONE_EFFECT, f"{name} was brought with {len(body)} bytes that are not its own"
        content = self.mirror.owing.sinks[sink].content
        there = [one for one in content if one.startswith(f"{job_id}-{index}.")]
        if len(there) > 1:
            yield Invariant.ONE_EFFECT, f"one output is at {sink} as {there}"

    def _document(self, owed: Row, name: str, body: bytes, attempt: int) -> Broken:
        if json.loads(body)["job_id"] != owed["job_id"]:
            yield Invariant.ONE_EFFECT, f"{name} tells of another job"
        known = self.mirror.owing.links.get((owed["id"], attempt), frozenset())
        if linked(body) != known:
            told, had = sorted(linked(body)), sorted(known)
            yield Invariant.ARCHIVE_FIRST, f"{name} tells links of {told}, and the archive has {had}"
        if left_there(body) != self.mirror.owing.elsewhere.get((owed["id"], attempt), frozenset()):
            yield Invariant.KEPT_AS_SET, f"{name} says wrongly which outputs only the gateway has"

    def again(self, sink: str, name: str, there: bytes, body: bytes, attempt: int) -> Broken:
        """A name that is there was brought anew; the first stays."""
        named = read_name(name)
        if named.outcome is None:
            if there != body:
                yield Invariant.ONE_EFFECT, f"{name} was brought to {sink} again, and was not the same"
            return
        # Tried again, how a job ended may be told with what was learned since.
        was, now = json.loads(there), json.loads(body)
        if (was["job_id"], was["outcome"]) != (now["job_id"], now["outcome"]):
            yield Invariant.ONE_EFFECT, f"{name} was brought to {sink} again, and tells of something else"
        owed = self._owed(sink, named)
        if owed is not None:
            yield from self._document(owed, name, body, attempt)

    def _owed(self, sink: str, named: Named) -> Row | None:
        wanted = (sink, named.index, named.outcome)
        rows = (self.mirror.owing.rows[rowid] for rowid in self.mirror.owing.of_job[named.job_id])
        return next(
            (row for row in rows if (row["destination"], row["output_index"], row["outcome"]) == wanted), None
        )

    def acknowledged(self, event_id: str) -> Broken:
        """A delivery was answered with 2xx."""
        if event_id not in self.mirror.events:
            yield Invariant.KEPT_BEFORE_ACK, f"{event_id} got a 2xx and is not in the inbox"
