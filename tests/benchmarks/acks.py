"""Early against late acknowledgements of messages: the same jobs, without faults and with, in turn.

python -m tests.benchmarks.acks --jobs 300 --runs 3
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.job import Updates
from orchestrator.engine.submit import Submission
from tests.acceptance.database import wanted
from tests.acceptance.fleet import Fleet
from tests.acceptance.processes import Child
from tests.acceptance.recovery import last_hand_off
from tests.acceptance.waiting import until
from tests.benchmarks.deployment import Deployment, deployed
from tests.soak.audit import FileWatch, audit
from tests.soak.cases import Case

# The worker with another setting; it writes one byte to its standard output for each message that it runs.
RUNNER = """
import os, sys
from orchestrator import celery_app
from orchestrator.cli import main
from orchestrator.processes import standby  # gets the true `perform`: what it does itself is no message
from orchestrator.tasks import work
celery_app.SETTINGS["task_acks_late"] = {late}
perform = work.perform
def counted(*given, **named):
    os.write(1, b"\\x01")
    perform(*given, **named)
work.perform = counted
del sys.argv[1]
main()
"""
KILL_EVERY = 5.0
REDIS_DOWN = ((3.0, 2.0), (9.0, 2.0))  # when, after the jobs came, and for how long
UNCERTAIN_WAIT = 15.0
LONGEST = 600.0

Fault = Callable[["Load"], None]


@dataclass
class Outcome:
    """One run."""

    seconds: float
    per_second: float
    messages: int
    lost: int
    doubled: int
    with_person: int
    killed: int


class Load:
    """One deployment with its jobs, while something befalls it."""

    def __init__(self, deployment: Deployment, late: bool) -> None:
        self.deployment, self.fleet = deployment, deployment.fleet
        self._inside = (sys.executable, "-c", RUNNER.format(late=late))
        self._jobs: list[str] = []
        self._began = 0.0

    def launch(self) -> Child:
        """Start a worker."""
        return self.fleet.launch("worker", inside=self._inside)

    def begin(self, submissions: list[Submission]) -> None:
        """Two workers, then all jobs at once."""
        self.fleet.database.jobs()
        self.fleet.ready(
            self.fleet.launch("web"), self.fleet.launch("beat"), *(self.launch() for _ in range(2))
        )
        self._began = time.time()
        self._jobs = self.fleet.database.submit(*submissions)

    @property
    def elapsed(self) -> float:
        return time.time() - self._began

    def over(self) -> bool:
        """Whether nothing is left to do but what needs a person."""
        left = self.fleet.database.unfinished(self._jobs)
        return all(self.fleet.database.job(one).needs_person for one in left)

    def outcome(self) -> Outcome:
        seconds = last_hand_off(self.fleet) - self._began
        found = audit(
            self.fleet, self.deployment.sandbox, dict.fromkeys(self._jobs, Case("any")), FileWatch()
        )
        wrong = {name: len(some) for name, some in found.forbidden.items()}
        lost = wrong.pop("lost")
        return Outcome(
            seconds,
            found.files / seconds,
            sum(run.out.read_bytes().count(b"\x01") for run in _workers(self.fleet)),
            lost,
            sum(wrong.values()),
            len(found.left_to_person),
            len(_workers(self.fleet)) - 2,
        )


def _workers(fleet: Fleet) -> list[Child]:
    return [run for run in fleet.runs if run.out.name.startswith("worker")]


def without_faults(load: Load) -> None:
    until("all is done", load.over, LONGEST, every=0.2)


def a_worker_killed_every_5_s(load: Load) -> None:
    next_at = [KILL_EVERY]

    def over() -> bool:
        oldest, other = load.fleet.of("worker")  # each in turn, once both work: on a busy machine less often
        if load.elapsed > next_at[0] and _started(oldest) and _started(other):
            oldest.kill()
            load.launch()
            next_at[0] = load.elapsed + KILL_EVERY
        return load.over()

    until("all is done", over, LONGEST, every=0.2)


def _started(run: Child) -> bool:
    return '"event": "started"' in run.complained()


def redis_killed_twice(load: Load) -> None:
    redis = load.deployment.redis
    for at, seconds in REDIS_DOWN:
        until("it is time", lambda at=at: load.elapsed > at)  # type: ignore[misc]
        redis.kill()
        until("it is over", lambda end=at + seconds: load.elapsed > end)  # type: ignore[misc]
        redis.start()
    until("all is done", load.over, LONGEST, every=0.2)


CONDITIONS: dict[str, tuple[Updates, Fault]] = {
    "polled, no faults": (Updates.POLL, without_faults),
    "hooks, no faults": (Updates.HYBRID, without_faults),
    "polled, a worker killed every 5 s": (Updates.POLL, a_worker_killed_every_5_s),
    "polled, Redis killed twice": (Updates.POLL, redis_killed_twice),
}


def measure(late: bool, condition: str, jobs: int) -> Outcome:
    """One run of one variant."""
    updates, befall = CONDITIONS[condition]
    submissions = [wanted(updates=updates, duration=0.5 + 0.02 * (number % 200)) for number in range(jobs)]
    with (
        tempfile.TemporaryDirectory() as folder,
        deployed(Path(folder), uncertain_wait_seconds=UNCERTAIN_WAIT, create_timeout_seconds=5) as deployment,
    ):
        load = Load(deployment, late)
        load.begin(submissions)
        befall(load)
        return load.outcome()


def main() -> int:
    """Measure and print; 1 if anything was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    runs: dict[tuple[str, bool], list[Outcome]] = {}
    for _ in range(options.runs):  # in turn, so that the machine's other load meets all alike
        for condition in CONDITIONS:
            for late in (False, True):
                outcome = measure(late, condition, options.jobs)
                runs.setdefault((condition, late), []).append(outcome)
                print(condition, "late" if late else "early", outcome, file=sys.stderr, flush=True)
    print("| condition | acks | last hand-off, s | jobs/s | messages | lost | doubled | with a person |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for (condition, late), some in runs.items():
        seconds = statistics.median(one.seconds for one in some)
        rate = statistics.median(one.per_second for one in some)
        messages = statistics.median(one.messages for one in some)
        lost, doubled, person = (
            sum(getattr(one, name) for one in some) for name in ("lost", "doubled", "with_person")
        )
        acks = "late" if late else "early"
        cells = f"{seconds:.1f} | {rate:.1f} | {messages:.0f} | {lost} | {doubled} | {person}"
        print(f"| {condition} | {acks} | {cells} |")
    return int(any(one.lost or one.doubled for some in runs.values() for one in some))


if __name__ == "__main__":
    sys.exit(main())
