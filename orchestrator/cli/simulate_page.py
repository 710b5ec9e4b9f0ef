"""What the simulation shows: how far it is, what it found, and how to see that again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from orchestrator import wiring
from orchestrator.cli.screen import console, print_json
from orchestrator.simulation.run import simulate, simulate_many
from orchestrator.simulation.world import Outcome

SHOWN = 10
SAY_EVERY = 10.0  # seconds between two lines where no screen is
WITHOUT_LIMIT = 10**9  # seeds: more than any time is enough for


@dataclass(slots=True)
class Report:
    """What the seeds came to; times in seconds."""

    wanted: int
    seeds: int = 0
    steps: int = 0
    transactions: int = 0
    virtual: float = 0.0
    seconds: float = 0.0
    broken: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome, seconds: float) -> None:
        """One more seed is done, so long after the start."""
        self.seeds += 1
        self.steps += outcome.steps
        self.transactions += outcome.transactions
        self.virtual += outcome.virtual
        self.seconds = seconds
        if outcome.violation is not None:
            self.broken.append(outcome)

    @property
    def ok(self) -> bool:
        """Whether seeds came to their ends and none broke anything."""
        return self.seeds > 0 and not self.broken

    @property
    def per_minute(self) -> float:
        """Seeds."""
        return 60.0 * self.seeds / self.seconds if self.seconds else 0.0


def run_seeds(seeds: range, *, processes: int, seconds: float | None, quiet: bool) -> Report:
    """Run them, for so long at most, and show how it goes unless `quiet`."""
    report, began = Report(len(seeds)), wiring.monotonic()
    processes = min(processes or _cores(), len(seeds))
    left = None if seconds is None else lambda: began + seconds - wiring.monotonic()
    outcomes = simulate_many(seeds, processes=processes, left=left)
    with closing(outcomes), _shown(report, quiet=quiet) as show:
        for outcome in outcomes:
            report.add(outcome, wiring.monotonic() - began)
            show()
    return report


def print_report(report: Report, *, as_json: bool) -> None:
    """The numbers, and each seed that broke something with the command that replays it."""
    if as_json:
        print_json(_document(report))
        return
    out = console()
    for outcome in sorted(report.broken, key=lambda one: one.steps)[:SHOWN]:
        out.print(f"seed {outcome.seed}: {outcome.violation}", style="red")
        out.print(f"  orchestrator simulate --seed {outcome.seed} --trace")
    out.print(
        f"{report.seeds} seeds, {report.steps} steps, {report.transactions} transactions, "
        f"{report.virtual / 3600:.1f} hours of virtual time in {report.seconds:.1f} s: "
        f"{report.per_minute:.0f} seeds a minute"
    )
    if not report.seeds:
        out.print("no seed came to its end in that time", style="bold red")
    elif report.broken:
        out.print(f"{len(report.broken)} of them broke something", style="bold red")
    else:
        out.print("nothing broke", style="bold green")


def print_trace(seed: int, *, as_json: bool) -> bool:
    """Everything that happens in one seed, line by line; whether something broke."""
    outcome = simulate(seed, traced=True)
    if as_json:
        print_json({**_found(outcome), "steps": outcome.steps, "trace": outcome.trace})
    else:
        for line in outcome.trace or ():
            print(line)
        print(f"seed {seed}: {outcome.violation or 'nothing broke'}")
    return outcome.violation is not None


def _document(report: Report) -> dict[str, Any]:
    return {
        "ok": report.ok,
        "seeds": report.seeds,
        "steps": report.steps,
        "transactions": report.transactions,
        "virtual_seconds": report.virtual,
        "seconds": report.seconds,
        "seeds_per_minute": report.per_minute,
        "broken": [_found(outcome) for outcome in report.broken],
    }


def _found(outcome: Outcome) -> dict[str, Any]:
    found = outcome.violation
    return {
        "seed": outcome.seed,
        "invariant": found and found.invariant,
        "at": found and found.at,
        "step": found and found.step,
        "what": found and found.what,
        "replay": f"orchestrator simulate --seed {outcome.seed} --trace",
    }


@contextmanager
def _shown(report: Report, *, quiet: bool) -> Iterator[Any]:
    """A bar on a screen, a line now and then elsewhere."""
    if quiet:
        yield lambda: None
    elif not sys.stdout.isatty():
        yield _lines(report)
    else:
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn())
        with Progress(*columns, console=console()) as progress:
            known = report.wanted if report.wanted < WITHOUT_LIMIT else None
            bar = progress.add_task("seeds", total=known, said="")
            yield lambda: progress.update(bar, completed=report.seeds, said=_said(report))


def _lines(report: Report) -> Any:
    last = [0.0]

    def show() -> None:
        if report.seconds - last[0] >= SAY_EVERY:
            last[0] = report.seconds
            print(f"{report.seconds:6.1f} s  {report.seeds} seeds, {_said(report)}", flush=True)

    return show


def _said(report: Report) -> str:
    return f"{report.steps} steps, {len(report.broken)} broken"


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
