"""Whether what is told of each job is whole, in order and true."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

from orchestrator.core.events import Told
from orchestrator.simulation.invariants import Broken, Invariant, Row


@dataclass(slots=True)
class Telling:
    """The events of each job as last committed: the number of the last, and what was told last."""

    _seq: Counter[str] = field(default_factory=Counter)
    _state: dict[str, str] = field(default_factory=dict)
    _progress: dict[str, int] = field(default_factory=dict)

    def told(self, row: Row) -> Broken:
        """An event was committed."""
        job_id, seq, kind, data = row["job_id"], row["seq"], row["type"], json.loads(row["data"])
        if seq != self._seq[job_id] + 1:
            yield Invariant.TOLD, f"{job_id} got event {seq} after {self._seq[job_id]}"
        if (kind == Told.ACCEPTED) != (seq == 1):
            yield Invariant.TOLD, f"event {seq} of {job_id} is {kind}"
        self._seq[job_id] = seq
        if kind in (Told.ACCEPTED, Told.STATE):
            self._state[job_id] = data.get("state", Told.ACCEPTED)
        if kind == Told.PROGRESS:
            self._progress[job_id] = data["progress"]

    def settled(self, job: Row) -> Broken:
        """All rows of a transaction were taken that wrote this job."""
        told = self._state.get(job["id"])
        if told != job["state"]:
            yield Invariant.TOLD, f"{job['id']} is {job['state']}, and {told} was told last"
        if job["state"] == "waiting" and job["progress"] > self._progress.get(job["id"], 0):
            yield Invariant.TOLD, f"{job['id']} got to {job['progress']} %, and nobody was told"
