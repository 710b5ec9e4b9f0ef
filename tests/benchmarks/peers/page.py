"""The page of the comparison, written from what was measured."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.acceptance.processes import ROOT
from tests.benchmarks.peers import goals, others
from tests.benchmarks.peers.goals import Goal
from tests.benchmarks.peers.rows import POLL_AFTER_SECONDS, Run, Work
from tests.benchmarks.peers.summary import Result, Results, results, versions
from tests.benchmarks.peers.systems import SYSTEMS
from tests.benchmarks.peers.tables import table

PAGE = ROOT / "docs" / "explanation" / "benchmarks.md"
WORDS = {
    "plain": "nothing happens to them",
    "dropped": "20 % of the webhooks are never sent",
    "killed": "all webhooks are lost, and all processes but the servers are killed and started again",
}

TEMPLATE = Path(__file__).with_name("page.template")


def write(runs: Sequence[Run], said: dict[str, dict[str, Any]], missing: dict[str, str]) -> None:
    """Write it anew."""
    PAGE.write_text(text(runs, said, missing))


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
    loads = [run.measured["load"] for run in runs]
    load = f" Load when a run began: {min(loads):.1f} to {max(loads):.1f}." if loads else ""
    processor = re.findall(r"^model name\s*: (.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = re.findall(r"^MemTotal:\s+(\d+) kB$", _read("/proc/meminfo"), re.MULTILINE)
    gigabytes = f", {int(memory[0]) / 1e6:.0f} GB of memory" if memory else ""
    told = f"{os.cpu_count()} cores ({processor[0] if processor else platform.machine()}){gigabytes}"
    return f"{told}, {platform.system()} {platform.release()}.{load}"


def _read(file: str) -> str:
    return Path(file).read_text() if Path(file).exists() else ""


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
    rows = [_row(name, by[name], work) for name in SYSTEMS if name in by]
    turns = "one run" if count == 1 else f"{count} runs"
    return f"{title}\n\n{WORDS[work.condition].capitalize()}; {turns} of each.\n\n{table(head, rows)}"


def _row(name: str, one: Result, work: Work) -> list[str]:
    lags = [found.told() if (found := one.spread(lag)) else "none" for lag in ("p50", "p99", "most")]
    spent = [one.processor(*parts).told(1) for parts in (("own", "servers"), ("own",))]
    counted = [f"{work.jobs - one.worst('lost'):,} of {work.jobs:,}", str(one.worst("doubled"))]
    accepted, looks = one.spread("accepted_per_second"), one.spread("looks_per_job")
    assert accepted is not None
    assert looks is not None
    again = one.spread("ready_again") if work.condition == "killed" else None
    row = [SYSTEMS[name].title, *lags, *counted, *spent, accepted.told(), looks.told(2)]
    return [*row, again.told(1)] if again else row


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
