"""What must be so at the end, once everything has worked again for long enough."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.core.job import HandOffState
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import Outcome, Route, read_route
from orchestrator.simulation.checking import SETTLED, Mirror
from orchestrator.simulation.invariants import Broken, Invariant, Row
from orchestrator.simulation.names import Named, linked, read_name

NOT_HAD = (Outcome.OUTPUT_MISSING, Outcome.OUTPUT_UNAVAILABLE)


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
        for owed in self.mirror.owing.rows.values():
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
        yield from self._gone()
        there = {name: self._at(name) for name in self.mirror.owing.sinks}
        for job in self.mirror.jobs.values():
            if job["cancel_requested_at"] is None and job["state"] in SETTLED:
                lost = frozenset(self._lost(job))
                yield from (
                    f"output {index} of {job['id']} never reached the archive"
                    for index in lost - self._excused(job)
                )
                for kept in json.loads(job["destinations"]):
                    route = read_route(kept)
                    yield from self._lacks(job, route, there[route.destination], lost)

    def _gone(self) -> Iterator[str]:
        """What the archive does not have although nothing befell it there."""
        archive = self.mirror.owing.archive
        for output in self.mirror.owing.outputs.values():
            lost = output["sha256"] not in archive.lacking and not archive.sound(output["sha256"])
            if output["archived_at"] is not None and lost:
                yield f"output {output['index']} of {output['job_id']} is in the archive no more"

    def _at(self, sink: str) -> dict[tuple[str, int | str | None], tuple[int, str]]:
        """What is there by job and output or outcome: the latest generation of each, and its name."""
        there: dict[tuple[str, int | str | None], tuple[int, str]] = {}
        for name in self.mirror.owing.sinks[sink].content:
            named = read_name(name)
            about = named.job_id, _about(named)
            there[about] = max(there.get(about, (0, name)), (named.generation, name))
        return there

    def _lost(self, job: Row) -> Iterator[int]:
        """The outputs that were made, and that the archive does not have."""
        if job["state"] == State.COMPLETED:
            made = self.mirror.gateway.jobs[job["gateway_id"]]
            had = self.mirror.owing.archived(job["id"])
            left = self.mirror.owing.left_there(job["id"])
            yield from (index for index in range(made.outputs) if index not in had | left)

    def _excused(self, job: Row) -> frozenset[int]:
        made = self.mirror.gateway.jobs[job["gateway_id"]] if job["state"] == State.COMPLETED else None
        return frozenset(range(made.outputs if made is not None and made.missing_until else 0))

    def _lacks(
        self,
        job: Row,
        route: Route,
        there: dict[tuple[str, int | str | None], tuple[int, str]],
        lost: frozenset[int],
    ) -> Iterator[str]:
        job_id, sink = job["id"], route.destination
        told = {about for one, about in there if one == job_id}
        if (
            job_id in self.mirror.needed
            and route.wants(Outcome.UNCERTAIN)
            and not self._withdrawn(job_id, sink)
        ) and Outcome.UNCERTAIN not in told:
            yield f"{job_id} needed a person, and {sink} was not told"
        if job["state"] != State.COMPLETED:
            if route.wants(job["state"]) and job["state"] not in told:
                yield f"{job_id} {job['state']}, and {sink} was not told"
            return
        for index in lost:
            wanted = [f"{why}-{index}" for why in NOT_HAD if route.wants(why)]
            if len(wanted) == len(NOT_HAD) and told.isdisjoint(wanted):
                yield f"output {index} of {job_id} could not be had, and {sink} was not told"
        had = self.mirror.owing.archived(job_id)
        left = self.mirror.owing.left_there(job_id)
        if not route.wants(Outcome.COMPLETED) or not had | left:
            return
        if not route.link:
            yield from (f"output {index} of {job_id} is not at {sink}" for index in had - told)
        elif Outcome.COMPLETED not in told:
            yield f"{job_id} completed, and {sink} was not told"
        else:
            _, name = there[job_id, Outcome.COMPLETED]
            links = linked(self.mirror.owing.sinks[sink].content[name])
            yield from (f"{name} at {sink} tells no link of output {index}" for index in had - links)

    def _withdrawn(self, job_id: str, sink: str) -> bool:
        """Whether it was no longer true before it could be told."""
        owing = self.mirror.owing
        rows = (owing.rows[rowid] for rowid in owing.of_job[job_id])
        about = (row for row in rows if (row["outcome"], row["destination"]) == (Outcome.UNCERTAIN, sink))
        return any(row["state"] == HandOffState.WITHDRAWN for row in about)

    def _when(self, moment: float | None) -> str:
        return "never" if moment is None else f"in {moment - self.mirror.now():.1f} s"


def _about(named: Named) -> int | str | None:
    return named.index if named.outcome is None else named.outcome
