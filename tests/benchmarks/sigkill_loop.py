"""Kills the orchestrator at random moments, again and again, and counts what that broke: it must be nothing.

python tests/benchmarks/sigkill_loop.py --jobs 200 --kills 50 --seed 1
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.core.job import HandOffState
from orchestrator.core.lifecycle import State
from tests.acceptance.database import wanted
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until
from tests.soak.audit import FileWatch, Findings, audit
from tests.soak.cases import CASES, Case

SPEED = 30  # the sandbox's own times pass so much faster: its second try of a webhook comes within 20 s
LONGEST_RUN = 1.5  # seconds between being ready and being killed
KILLED_WHILE_STARTING = 0.1  # share of the kills


@dataclass
class Report:
    """What was done, and what was found."""

    jobs: int = 0
    kills: int = 0
    seconds: float = 0.0
    in_flight: Counter[str] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)

    def lines(self) -> Iterator[str]:
        """The table."""
        found = self.findings
        yield f"{'kills':<34}{self.kills}"
        yield f"{'jobs':<34}{self.jobs}"
        yield f"{'files handed off':<34}{found.files}"
        for what, count in sorted(self.in_flight.items()):
            yield f"{'killed under way: ' + what:<34}{count}"
        yield f"{'uncertain creates found again':<34}{found.found_again}"
        yield f"{'uncertain ones left to a person':<34}{len(found.left_to_person)}"
        yield from (f"    {one}" for one in found.left_to_person)
        for what, some in found.forbidden.items():
            yield f"{what + ' (must be 0)':<34}{len(some)}"
            yield from (f"    {one}" for one in some)
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
        self._watch = FileWatch()
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
        self._watch.look(self._orchestrator.files())

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

    def finish(self) -> None:
        """Let the orchestrator live until nothing is left to do but what needs a person."""
        self._orchestrator.start()
        database = self._orchestrator.database
        left = list(self._case_of)

        def nothing_left() -> bool:
            nonlocal left
            left = database.unfinished(left)
            jobs = {job.id: job for job in database.jobs()}
            return all(jobs[one].needs_person and told_of(one) for one in left)

        def told_of(job_id: str) -> bool:
            """That it needs a person is handed off too: its file is there a moment before its row says so."""
            return all(one.state is not HandOffState.OWED for one in database.owed(job_id))

        try:
            until("nothing is left to do", nothing_left, 120, every=0.2)
        except AssertionError:
            print(f"gave up waiting; not finished: {left}", file=sys.stderr)
        self._watch.look(self._orchestrator.files())

    def report(self) -> Report:
        """Compare rows, files, logs and the gateway's truth."""
        self._report.findings = audit(self._orchestrator, self._sandbox, self._case_of, self._watch)
        return self._report


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
    return 0 if report.findings.good else 1


if __name__ == "__main__":
    sys.exit(main())
