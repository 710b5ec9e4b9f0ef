"""Kills the orchestrator at random moments, again and again, and counts what that broke: it must be nothing.

python tests/benchmarks/sigkill_loop.py --jobs 200 --kills 50 --seed 1
"""

import argparse
import hashlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.core.job import HandOff, HandOffState, Job, Updates
from orchestrator.core.lifecycle import OPEN, Seen, State
from tests.acceptance.database import wanted
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until

SPEED = 30  # the sandbox's own times pass so much faster: its second try of a webhook comes within 20 s
LONGEST_RUN = 1.5  # seconds between being ready and being killed
KILLED_WHILE_STARTING = 0.1  # share of the kills


@dataclass(frozen=True)
class Case:
    """What befalls a job, and how it must end."""

    name: str
    end: State = State.COMPLETED
    outputs: int = 1
    updates: Updates = Updates.HYBRID
    switches: dict[str, Any] = field(default_factory=dict)


_SLOW = {"create_delay": 0.6}
_BY_POLL: dict[str, Any] = {"updates": Updates.POLL}
CASES = (
    Case("hooks"),
    Case("no hooks", **_BY_POLL),
    Case("hooks lost", switches={"webhook_lose": "all"}),
    Case("hooks doubled", switches={"webhook_duplicates": 2, "webhook_concurrent": 1, "webhook_shuffle": 30}),
    Case("hook with the look", switches={"notice": "tick"}),
    Case("slow create", switches=_SLOW),
    Case("slow create, no hooks", switches=_SLOW, **_BY_POLL),
    Case("slow create, early hooks", switches={**_SLOW, "webhook_early": True, "duration": 0}),
    Case("create answer cut", switches={"create_error": "cut_after"}),
    Case("create answer cut, no hooks", switches={"create_error": "cut_after"}, **_BY_POLL),
    Case("create answer 500", switches={**_SLOW, "create_error": "text_500_after"}, **_BY_POLL),
    Case("two outputs", outputs=2),
    Case("two outputs, no hooks", outputs=2, **_BY_POLL),
    Case("slow content", switches={"content_bytes": 600_000, "content_rate": 1_000_000}),
    Case("content cut once", switches={"content": "cut", "content_fault_times": 1}),
    Case("fails", end=State.FAILED, switches={"outcome": "failed"}),
    Case("fails, no hooks", end=State.FAILED, switches={"outcome": "failed"}, **_BY_POLL),
    Case("expires", end=State.EXPIRED, switches={"outcome": "expired"}),
    Case("refused", end=State.REJECTED, switches={"create_error": "guardrail_blocked"}),
)


@dataclass
class Report:
    """What was done, and what was found. Every forbidden list must be empty."""

    jobs: int = 0
    kills: int = 0
    seconds: float = 0.0
    files: int = 0
    in_flight: Counter[str] = field(default_factory=Counter)
    found_again: int = 0
    left_to_person: list[str] = field(default_factory=list)
    forbidden: dict[str, list[str]] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether nothing forbidden happened."""
        return not any(self.forbidden.values())

    def lines(self) -> Iterator[str]:
        """The table."""
        yield f"{'kills':<34}{self.kills}"
        yield f"{'jobs':<34}{self.jobs}"
        yield f"{'files handed off':<34}{self.files}"
        for what, count in sorted(self.in_flight.items()):
            yield f"{'killed under way: ' + what:<34}{count}"
        yield f"{'uncertain creates found again':<34}{self.found_again}"
        yield f"{'uncertain ones left to a person':<34}{len(self.left_to_person)}"
        yield from (f"    {one}" for one in self.left_to_person)
        for what, found in self.forbidden.items():
            yield f"{what + ' (must be 0)':<34}{len(found)}"
            yield from (f"    {one}" for one in found)
        yield f"{'seconds':<34}{self.seconds:.0f}"


def run(folder: Path, *, jobs: int, kills: int, seed: int) -> Report:
    """The whole loop, in a folder of its own."""
    began = time.monotonic()
    sandbox = Sandbox(folder, "sandbox", "--time-scale", str(SPEED), "--seed", str(seed))
    orchestrator = Orchestrator(
        folder, sandbox.url, uncertain_wait_seconds=4, create_timeout_seconds=5, look_timeout_seconds=5
    )
    sandbox.call(orchestrator.receiver)
    try:
        loop = _Loop(orchestrator, sandbox, random.Random(seed), jobs)
        for number in range(kills):
            loop.run_and_kill(jobs * (number + 1) // kills)
        loop.finish()
        report = loop.report()
    finally:
        orchestrator.end()
        sandbox.end()
    report.seconds = time.monotonic() - began
    return report


class _Loop:
    def __init__(
        self, orchestrator: Orchestrator, sandbox: Sandbox, chance: random.Random, jobs: int
    ) -> None:
        self._orchestrator = orchestrator
        self._sandbox = sandbox
        self._chance = chance
        self._cases = [CASES[number % len(CASES)] for number in range(jobs)]
        chance.shuffle(self._cases)
        self._case_of: dict[str, Case] = {}
        self._shown: dict[str, tuple[int, int]] = {}
        self._replaced: list[str] = []
        self._report = Report(jobs=jobs)

    def run_and_kill(self, so_many_jobs: int) -> None:
        """One life of the orchestrator: some jobs are waiting for it, some come while it runs."""
        new = so_many_jobs - len(self._case_of)
        self._submit(new // 2)
        if self._chance.random() < KILLED_WHILE_STARTING:
            self._orchestrator.launch()
            self._submit(new - new // 2)
        else:
            self._orchestrator.start()
            self._submit(new - new // 2)
            time.sleep(self._chance.uniform(0.0, LONGEST_RUN))
        self._orchestrator.kill()
        self._report.kills += 1
        self._note_what_was_under_way()
        self._watch_files()

    def _submit(self, count: int) -> None:
        cases = self._cases[len(self._case_of) : len(self._case_of) + count]
        if cases:
            jobs = self._orchestrator.database.submit(*(self._wanted(case) for case in cases))
            self._case_of |= dict(zip(jobs, cases, strict=True))

    def _wanted(self, case: Case) -> Any:
        ends = {"duration": SPEED * self._chance.uniform(0.0, 4.0)}
        return wanted(updates=case.updates, count=case.outputs, **ends | case.switches)

    def _note_what_was_under_way(self) -> None:
        states = Counter(job.state for job in self._orchestrator.database.jobs() if job.leased_by)
        owed = self._orchestrator.database.everything_owed().values()
        under_way = {
            "creates": states[State.CREATING],
            "looks": sum(states.values()) - states[State.CREATING],
            "hand-offs": sum(one.leased_by is not None for some in owed for one in some),
        }
        self._report.in_flight.update(under_way)

    def _watch_files(self) -> None:
        """A file that is there is never written again: a second hand-off would show here."""
        for file in self._orchestrator.files():
            if not file.name.startswith("."):
                now = (file.stat().st_ino, file.stat().st_mtime_ns)
                if self._shown.setdefault(file.name, now) != now:
                    self._replaced.append(file.name)

    def finish(self) -> None:
        """Let the orchestrator live until nothing is left to do but what needs a person."""
        self._orchestrator.start()
        database = self._orchestrator.database
        left = list(self._case_of)

        def nothing_left() -> bool:
            nonlocal left
            left = database.unfinished(left)
            jobs = {job.id: job for job in database.jobs()}
            return all(jobs[one].needs_person for one in left)

        try:
            until("nothing is left to do", nothing_left, 120, every=0.2)
        except AssertionError:
            print(f"gave up waiting; not finished: {left}", file=sys.stderr)
        self._watch_files()

    def report(self) -> Report:
        """Compare rows, files, logs and the gateway's truth."""
        database, report = self._orchestrator.database, self._report
        jobs, owed = {job.id: job for job in database.jobs()}, database.everything_owed()
        unfinished = database.unfinished(self._case_of)
        made: dict[str, list[str]] = {job: [] for job in self._case_of}
        for row in self._sandbox.truth():
            made[row["session_id"].rpartition(".")[0]].append(row["id"])
        report.left_to_person = [
            f"{one} ({self._case_of[one].name}; the gateway made {len(made[one])})"
            for one in unfinished
            if jobs[one].needs_person
        ]
        report.found_again = sum(self._was_found_again(job) for job in jobs.values())
        every = [(job, one) for job, some in owed.items() for one in some]
        done = [(job, one) for job, one in every if one.state is HandOffState.DONE]
        report.files = len(done)
        locations = [Path(str(one.location)) for _, one in done]
        report.forbidden = {
            "lost": [f"{one}: {jobs[one].state}" for one in unfinished if not jobs[one].needs_person]
            + [one for one in self._case_of if one not in jobs],
            "created twice": [f"{job}: {ids}" for job, ids in made.items() if len(ids) > 1],
            "left to a person, but findable": [
                one for one in unfinished if jobs[one].needs_person and made[one]
            ],
            "ended wrongly": list(self._ended_wrongly(jobs, owed)),
            "handed off twice": self._replaced
            + [key for key, count in self._orchestrator.handed_off().items() if count > 1]
            + [f"{path} is shared" for path, count in Counter(locations).items() if count > 1],
            "given up": [
                one.key for _, one in every if one.state not in (HandOffState.DONE, HandOffState.OWED)
            ],
            "missing": [str(path) for path in locations if not path.exists()],
            "torn": [one.key for job, one in done if not self._is_whole(jobs[job], one)],
            "left lying about": sorted(map(str, self._orchestrator.files() - set(locations))),
        }
        return report

    def _was_found_again(self, job: Job) -> bool:
        lost = any(one.seen is Seen.LOST for one in self._orchestrator.database.timeline(job.id))
        return lost and job.gateway_id is not None

    def _ended_wrongly(self, jobs: dict[str, Job], owed: dict[str, list[HandOff]]) -> Iterator[str]:
        for job, case in self._case_of.items():
            if jobs[job].state in OPEN:
                continue  # counted elsewhere
            names = range(case.outputs) if case.end is State.COMPLETED else [case.end]
            keys = sorted(f"{job}/{name}/folder" for name in names)
            if jobs[job].state is not case.end or sorted(one.key for one in owed[job]) != keys:
                yield f"{job} ({case.name}): {jobs[job].state}, {[one.key for one in owed[job]]}"

    def _is_whole(self, job: Job, owed: HandOff) -> bool:
        path = Path(str(owed.location))
        if not path.exists():
            return False
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        right = owed.sha256
        if owed.output_index is not None:
            served = self._sandbox.content(str(job.gateway_id), owed.output_index)
            right = hashlib.sha256(served).hexdigest()
        return len(content) == owed.bytes and digest == owed.sha256 == right


def main() -> int:
    """Run it and print the table; 1 if anything forbidden happened."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a new folder to keep database, files and logs in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report = run(folder, jobs=options.jobs, kills=options.kills, seed=options.seed)
    print("\n".join(report.lines()))
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
