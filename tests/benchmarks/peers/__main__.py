"""The comparison, side by side: `python -m tests.benchmarks.peers`, or `make bench`."""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.acceptance.processes import ROOT
from tests.benchmarks.peers import others, page
from tests.benchmarks.peers.measuring import measure
from tests.benchmarks.peers.rows import CONDITIONS, EMBEDDED, FULL, QUICK, RUNS, Row, Run, Work, keep, kept
from tests.benchmarks.peers.systems import SYSTEMS
from tests.benchmarks.peers.systems.base import Missing
from tests.servers.processes import ServerBroken

KEPT = ROOT / "dist" / "bench"


def rows(
    systems: Sequence[str], works: Sequence[Work], runs: int, alone: Sequence[Work] = ()
) -> Iterator[tuple[Row, int]]:
    """In turn: the first run of every system at every work, then the second; at some works we are alone."""
    for number in range(1, runs + 1):
        for work in works:
            for system in [one for one in systems if work not in alone or one == "ours-embedded"]:
                yield Row(system, work.jobs, work.shortest, work.longest, work.condition), number


def installed(names: Sequence[str]) -> dict[str, str]:
    """Those that cannot run here, and why."""
    missing = {}
    for name in names:
        try:
            SYSTEMS[name].versions()
        except Missing as error:
            missing[name] = str(error)
    return missing


def told(run: Run) -> str:
    """One line for a person who looks on."""
    found = run.measured
    lag = " / ".join("-" if found[name] is None else f"{found[name]:.0f}" for name in ("p50", "p99", "most"))
    own, servers = found["processor"]["own"], found["processor"]["servers"]
    return (
        f"{run.row.told()}, run {run.number}: {lag} ms, {own + servers:.1f} s of processor ({own:.1f} own; "
        f"world {found['processor']['world']:.1f}), {found['handed_off']} handed off, {found['lost']} lost, "
        f"{found['doubled']} doubled, {found['accepted_per_second']:.0f} accepted a second, "
        f"{found['looks_per_job']:.2f} looks a job"
    )


def main() -> int:
    """Measure what was not yet measured, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(SYSTEMS), help="these systems")
    parser.add_argument("--conditions", nargs="+", choices=list(CONDITIONS), default=list(CONDITIONS))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--jobs", type=int, help="so many, of 3 to 9 s, instead of the full comparison")
    parser.add_argument("--fresh", action="store_true", help="forget what was measured")
    parser.add_argument("--kept", type=Path, default=KEPT, help="the folder where each finished run is kept")
    parser.add_argument(
        "--page", action="store_true", help="write the page from what is kept, and measure nothing"
    )
    options = parser.parse_args()
    if options.fresh:
        shutil.rmtree(options.kept, ignore_errors=True)
    systems = options.only or list(SYSTEMS)
    missing = installed(systems)
    for name, why in missing.items():
        print(f"{name} is missing: {why}", file=sys.stderr)
    if not options.page:
        measure_all(options, [name for name in systems if name not in missing])
    if not options.jobs:
        page.write(options.kept, missing)
        print(f"written: {page.PAGE.relative_to(ROOT)}")
    return 0


def measure_all(options: argparse.Namespace, systems: Sequence[str]) -> None:
    """What was not yet measured: the comparison, and unless it is a part of it, the other benchmarks too."""
    runs = options.kept / (QUICK if options.jobs else RUNS)
    works = (
        [Work(options.jobs, 3.0, 9.0, one) for one in options.conditions]
        if options.jobs
        else [*EMBEDDED, *FULL]
    )
    works = [one for one in works if one.condition in options.conditions]
    done = {(run.row, run.number) for run in kept(runs)}
    whole = not (options.jobs or options.only)
    for row, number in rows(systems, works, options.runs, () if options.jobs else EMBEDDED):
        if number > 1 and whole:  # whoever stops after one round has a whole page
            measure_others(options.kept)
        if (row, number) not in done:
            try:
                run = Run(row, number, measure(row, SYSTEMS[row.system], seed=number))
            except (AssertionError, ServerBroken, OSError) as error:  # the next `make bench` tries it again
                print(f"{row.told()}, run {number}, failed: {error}", file=sys.stderr, flush=True)
                continue
            keep(runs, run)
            print(told(run), flush=True)
    if whole:
        measure_others(options.kept)


def measure_others(folder: Path) -> None:
    """The benchmarks of one part each, as far as they were not run."""
    for name in others.there():
        if name not in others.kept(folder):
            others.run(name, folder)


if __name__ == "__main__":
    sys.exit(main())
