"""What must be so at the end, once everything has worked again for long enough."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.core.job import HandOffState
from orchestrator.core.lifecycle import State
from orchestrator.simulation.checking import SETTLED, Mirror
from orchestrator.simulation.invariants import Broken, Invariant, Row


@dataclass(frozen=True, slots=True)
class Ending:
    """Judges the last rows, and what is at the destinations."""

    mirror: Mirror

    def unfinished(self) -> Iterator[str]:
        """What has not come to its end: jobs, what is owed for them, what came in for them."""
        for job in self.mirror.jobs.values():
            if job["needs_person"]:
                yield f"{job['id']} still needs a person"
            elif job["state"] not in SETTLED:
                yield f"{job['id']} is {job['state']}, due {self._when(job['due_at'])}"
            elif job["detail_tries"]:
                yield f"{job['id']} waits for details, due {self._when(job['due_at'])}"
        for owed in self.mirror.hand_offs.values():
            if owed["state"] == HandOffState.OWED:
                yield f"{owed['key']} is owed, due {self._when(owed['due_at'])}"
        for entry in self.mirror.unmatched():
            yield f"inbox entry {entry['id']} waits for a job that is known"

    def broken(self, accepted: Iterable[str], existing: set[str]) -> Broken:
        """What is not as it must be. `accepted` are the jobs that callers were told of."""
        for job_id in accepted:
            if job_id not in existing:
                yield Invariant.NOTHING_LOST, f"{job_id} was accepted, and is not there"
        for what in self._missing():
            yield Invariant.ENDS, what

    def _missing(self) -> Iterator[str]:
        """What ended without reaching its destinations."""
        for job in self.mirror.jobs.values():
            if job["cancel_requested_at"] is None and job["state"] in SETTLED:
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
