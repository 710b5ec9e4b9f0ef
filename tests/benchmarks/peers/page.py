"""The page of the comparison, written from what was measured."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.acceptance.processes import ROOT
from tests.benchmarks.peers import goals, others
from tests.benchmarks.peers.goals import Goal
from tests.benchmarks.peers.rows import CONDITIONS, POLL_AFTER_SECONDS, QUICK, RUNS, Run, Work, kept
from tests.benchmarks.peers.summary import Result, Results, results, versions
from tests.benchmarks.peers.systems import SYSTEMS
from tests.benchmarks.peers.tables import table

PAGE = ROOT / "docs" / "explanation" / "benchmarks.md"
TEMPLATE = Path(__file__).with_name("page.template")
MEASURED = Path(__file__).with_name("measured").resolve()  # what the page of this checkout is made of


def write(folder: Path, missing: dict[str, str]) -> None:
    """Write it anew from a folder of what was measured, which is kept with it."""
    PAGE.write_text(text(list(kept(folder / RUNS)), others.kept(folder), missing))
    if folder.resolve() != MEASURED:
        shutil.rmtree(MEASURED, ignore_errors=True)
        shutil.copytree(folder, MEASURED, ignore=shutil.ignore_patterns(QUICK))


def text(runs: Sequence[Run], said: dict[str, dict[str, Any]], missing: dict[str, str]) -> str:
    """The page: the words of the template, and in them what was found."""
    found = results(runs)
    parts = {
        "pause": f"{POLL_AFTER_SECONDS:g}",
        "machine": _machine(runs),
        "goals": _goals(found, said),
        "results": "\n\n".join(_work(work, by) for work, by in found.items()),
        "parts": _parts(said),
        "versions": _versions(runs, missing),
    }
    return re.sub(r"@(\w+)@", lambda match: parts[match[1]] or "Not measured yet.", TEMPLATE.read_text())


def _machine(runs: Sequence[Run]) -> str:
    machines = dict.fromkeys(run.measured["machine"] for run in runs)
    if not machines:
        return ""
    load, additions = (_range([run.measured[name] for run in runs]) for name in ("load", "additions"))
    told = f"{'; '.join(machines)}. Load when a run began: {load[0]:.1f} to {load[1]:.1f}."
    return f"{told} A million additions in Python took {additions[0]:.0f} to {additions[1]:.0f} ms then."


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _goals(found: Results, said: dict[str, dict[str, Any]]) -> str:
    rows = [goal.row() for goal in goals.goals(found)]
    rows += [_named(name, goal) for name, one in said.items() for goal in others.goals(name, one)]
    head = ["goal", "limit", "found", ""]
    return table(head, rows) if rows else ""


def _named(name: str, goal: Goal) -> list[str]:
    what, *rest = goal.row()
    return [f"`{name}`: {what}", *rest]


def _work(work: Work, by: dict[str, Result]) -> str:
    count = max(len(one.runs) for one in by.values())
    title = f"### {work.jobs:,} jobs of {work.shortest:g} to {work.longest:g} s, {work.condition}"
    head = [
        "system",
        "p50, ms",
        "p99, ms",
        "most, ms",
        "handed off",
        "arrived twice",
        "processor, s",
        "without servers, s",
    ]
    head += ["accepted a second", "looks a job"]
    head += ["ready again after, s"] if work.condition == "killed" else []
    head += ["states read a processor second"] if work.condition == "polled" else []
    rows = [_row(name, by[name], work) for name in SYSTEMS if name in by]
    words = CONDITIONS[work.condition].words.capitalize()
    turns = "one run" if count == 1 else f"{count} runs"
    return f"{title}\n\n{words}; {turns} of each.\n\n{table(head, rows)}"


def _row(name: str, one: Result, work: Work) -> list[str]:
    lags = [found.told() if (found := one.spread(lag)) else "none" for lag in ("p50", "p99", "most")]
    spent = [one.processor(*parts).told(1) for parts in (("own", "servers"), ("own",))]
    counted = [f"{work.jobs - one.worst('lost'):,} of {work.jobs:,}", str(one.worst("doubled"))]
    accepted, looks = one.spread("accepted_per_second"), one.spread("looks_per_job")
    assert accepted is not None
    assert looks is not None
    row = [SYSTEMS[name].title, *lags, *counted, *spent, accepted.told(), looks.told(2)]
    again = one.spread("ready_again") if work.condition == "killed" else None
    row += [again.told(1)] if again else []
    return [*row, one.states_a_processor_second().told()] if work.condition == "polled" else row


def _parts(said: dict[str, dict[str, Any]]) -> str:
    """The benchmarks of one part each."""
    return "\n\n".join(_part(name, said.get(name)) for name in others.there())


def _part(name: str, said: dict[str, Any] | None) -> str:
    title = f"`python -m tests.benchmarks.{name}`: {others.NAMES[name]}"
    return f"{title}; not measured here." if said is None else f"{title}.\n\n{others.shown(said)}".strip()


def _versions(runs: Sequence[Run], missing: dict[str, str]) -> str:
    rows = [
        [SYSTEMS[name].title, ", ".join(f"{what} {one}" for what, one in found.items())]
        for name, found in versions(runs).items()
    ]
    rows += [[SYSTEMS[name].title, f"missing on this machine: {why}"] for name, why in missing.items()]
    return table(["system", "versions"], rows, numbers=False) if rows else ""
