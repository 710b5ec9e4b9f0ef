"""One run: a world, a system, N jobs, and what came of them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.peers import machine
from tests.benchmarks.peers.rows import CONDITIONS, Row
from tests.benchmarks.peers.running import now
from tests.benchmarks.peers.surroundings import Conditions, Surroundings
from tests.benchmarks.peers.systems.base import System

KILL_AFTER = 2.0  # seconds after the gateway has the last job
RESTART_AFTER = 1.0
LATE_DOUBLES = 2.0  # seconds for which it is still watched whether anything is handed off again


@dataclass(frozen=True)
class Moments:
    """When what was done, by the clock of the world."""

    released: float
    accepted: float
    restarted: float | None


def measure(row: Row, make: Callable[[Surroundings], System], seed: int) -> dict[str, Any]:
    """Start everything, let it work, and say what came of it."""
    before = machine.now()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        condition = CONDITIONS[row.condition]
        conditions = Conditions(
            row.shortest, row.longest, condition.poll_after_seconds, condition.hooks_lost, seed
        )
        around = Surroundings(Path(folder), conditions)
        system = make(around)
        try:
            around.start(system.hook_path)
            system.start()
            return _work(row, around, system) | before
        finally:
            system.stop()
            around.end()


def _work(row: Row, around: Surroundings, system: System) -> dict[str, Any]:
    before, world_before = system.processor(), around.processor_seconds()
    released = now()
    system.release(row.jobs)
    accepted, restarted, ready_again = system.accepted(), None, None
    if row.condition == "killed":
        _until_created(row, around)
        time.sleep(KILL_AFTER)
        system.kill()
        time.sleep(RESTART_AFTER)
        restarted = now()
        system.restart()
        ready_again = now() - restarted
    # What a system that keeps nothing lost in a kill does not come any more.
    lost = row.condition == "killed" and not system.durable
    _until_handed_off(row, around, CONDITIONS["plain" if lost else row.condition].patience)
    after, world_after = system.processor(), around.processor_seconds()
    time.sleep(LATE_DOUBLES)
    processor = {name: after[name] - before[name] for name in after} | {"world": world_after - world_before}
    found = counted(around.report(), row.jobs, Moments(released, accepted, restarted))
    return found | {"processor": processor, "ready_again": ready_again, "versions": system.versions()}


def _until_created(row: Row, around: Surroundings) -> None:
    """What a kill in the middle of a create does is another question: nobody can know whether it was paid."""
    end = now() + CONDITIONS[row.condition].patience
    while around.counts()["created"] < row.jobs and now() < end:
        time.sleep(0.1)


def _until_handed_off(row: Row, around: Surroundings, patience: float) -> None:
    """Until all are, or nothing has happened for so long that nothing more will."""
    most, since = 0, now()
    while True:
        counts = around.counts()
        done, happened = counts["handed_off"], counts["handed_off"] + counts["created"] + counts["ended"]
        if done >= row.jobs:
            return
        if happened > most:
            most, since = happened, now()
        if now() - since > patience:
            return
        time.sleep(0.1)


def counted(report: dict[str, Any], wanted: int, at: Moments) -> dict[str, Any]:
    """What is told of a run. Lag runs from a job's end, or from the restart where that was later."""
    jobs = report["jobs"]
    handed = [job for job in jobs if job["handed_off"]]
    begins = at.restarted or 0.0
    lags = sorted(
        1000 * (job["handed_off"][0] - max(job["ended"], begins))
        for job in handed
        if job["handed_off"][0] >= begins
    )
    return {
        "handed_off": len(handed),
        "lost": wanted - min(wanted, len(handed)),
        "doubled": sum(len(job["handed_off"]) > 1 for job in jobs),
        "created": len(jobs),  # fewer than wanted: some never were; more: some were paid for twice
        "strange": report["strange"],
        "p50": percentile(lags, 0.5),
        "p99": percentile(lags, 0.99),
        "most": lags[-1] if lags else None,
        "accepted_per_second": wanted / (at.accepted - at.released),
        "looks_per_job": (sum(job["looks"] for job in jobs) + report["lists"]) / wanted,
        "lists": report["lists"],
        "states_read": sum(job["looks"] + job["listed"] for job in jobs),
        "hook_tries_per_job": sum(job["hook_tries"] for job in jobs) / wanted,
        "longest_until_created": max((job["created"] for job in jobs), default=at.released) - at.released,
    }


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value of those in order that this share does not exceed."""
    return values[max(0, round(share * len(values)) - 1)] if values else None
