"""Sees what happens, has it judged and written down, and keeps the first promise that broke."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.engine.follow_up import Task
from orchestrator.simulation.chance import START
from orchestrator.simulation.database import SimulatedStore
from orchestrator.simulation.gateway import Answer, GatewayJob
from orchestrator.simulation.invariants import Invariant, Row, Violation
from orchestrator.simulation.loop import asker
from orchestrator.simulation.outside import Outside
from orchestrator.simulation.process import Process
from orchestrator.simulation.scheduler import Activity, Scheduler
from orchestrator.simulation.tools import Trace, told


@dataclass(slots=True)
class Witness:
    """What everything of a world reports to."""

    scheduler: Scheduler
    trace: Trace
    store: SimulatedStore
    outside: Outside = field(init=False)
    transactions: int = 0
    violation: Violation | None = None

    def committed(self, activity: Activity | None, changed: list[tuple[str, int, Row]]) -> None:
        """A transaction was committed."""
        self.transactions += 1
        if self.trace.lines is not None:
            for table, _, row in changed:
                self.trace(activity.owner.name if activity else "-", told(table, row))
        self.report(self.outside.mirror.take(activity, changed))

    def accepted(self, job_id: str) -> None:
        """A caller was told that a job is kept."""
        self.report(self.outside.accepted(job_id))

    def made(self, job: GatewayJob) -> None:
        """The gateway made a job of ours."""
        self.trace("gateway", f"makes {job.id} for {job.session_id}: {job.ending}, {job.outputs} outputs")
        self.report(self.outside.made(job))

    def acknowledged(self, event_id: str) -> None:
        """A webhook was answered with 2xx."""
        self.report(self.outside.acknowledged(event_id))

    def published(self, sink: str, name: str, body: bytes, attempt: int) -> None:
        """A name appeared at a destination."""
        self.trace(sink, f"has {name}, by attempt {attempt}")
        self.report(self.outside.published(sink, name, body, attempt))

    def again(self, sink: str, name: str, there: bytes, body: bytes, attempt: int) -> None:
        """A name that is at a destination was brought once more."""
        self.trace(sink, f"is brought {name} once more")
        self.report(self.outside.again(sink, name, there, body, attempt))

    def asked(self, process: Process, what: str, about: str) -> None:
        """A question leaves for the gateway."""
        self.trace(process.name, f"asks: {what} {about}")
        self.report(self.outside.asked(asker.get(), what, about))

    def heard(self, what: str, about: str, answer: Answer) -> None:
        """An answer of the gateway's reached whoever asked."""
        self.outside.heard(asker.get(), what, about, answer)

    def waits(self, process: Process) -> None:
        """A process begins to wait for the gateway."""
        if self.store.open:
            self.report([(Invariant.SENT_AFTER_COMMIT, f"{process.name} asks in a transaction")])

    def sending(self, task: Task) -> None:
        """A message leaves for another process."""
        self.trace("message", task)
        if self.store.open:
            self.report([(Invariant.SENT_AFTER_COMMIT, f"{task} was sent in a transaction")])

    def broke(self, what: str) -> None:
        """A use-case met something that nobody foresaw."""
        self.report([(Invariant.NOTHING_BROKE, what)])

    def ended(self, activity: Activity, error: Exception) -> None:
        """An activity ended in an exception."""
        self.broke(f"{activity.name} of {activity.owner.name} ended in {type(error).__name__}: {error}")

    def report(self, broken: Iterable[tuple[Invariant, str]]) -> None:
        """Keep the first of these, and write all of them down."""
        for invariant, what in broken:
            found = Violation(invariant, self.scheduler.now - START, self.scheduler.steps, what)
            self.trace("BROKEN", str(found))
            self.violation = self.violation or found
