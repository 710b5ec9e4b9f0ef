"""The benchmarks of one part each: what they found, and what the page says of it.

Each is a program, `python -m tests.benchmarks.NAME --json`. What it says has `goals`, a table by name of the
number found and its limit, an upper one unless the name is in `at_least`; or a single `ratio` and its `goal`.
`ways` are the rows of a table with these `columns`.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.acceptance.processes import ROOT, module
from tests.benchmarks.peers.goals import Goal
from tests.benchmarks.peers.tables import table

NAMES = {
    "receiver": "webhooks verified, stored and applied, beside bare Starlette with one INSERT a request",
    "submit": "jobs accepted a second, one by one and in bulk",
    "looks": "looks a second on one core, beside a bare loop over the same client",
    "million": "what a million open jobs cost",
}
Said = dict[str, Any]


def there() -> list[str]:
    """Those that this checkout has."""
    return [name for name in NAMES if (ROOT / "tests" / "benchmarks" / f"{name}.py").exists()]


def run(name: str, folder: Path) -> None:
    """Let it measure, and keep what it says. It ends with 1 where it misses a goal, and that is kept too."""
    command = module(f"tests.benchmarks.{name}", "--json")
    said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if said.stdout.startswith("{"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(said.stdout)
    else:
        print(f"{name} failed with {said.returncode}", file=sys.stderr, flush=True)


def kept(folder: Path) -> dict[str, Said]:
    """What they said when they were run last."""
    files = {name: folder / f"{name}.json" for name in NAMES}
    return {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}


def goals(name: str, said: Said) -> list[Goal]:
    """The goals of one of them."""
    if "ratio" in said:
        return [_at_least("in proportion to the bare one", said["ratio"], said["goal"])]
    at_least = said.get("at_least", ())
    return [
        Goal(what, found, limit, at_most=what not in at_least, digits=2)
        for what, (found, limit) in said.get("goals", {}).items()
    ]


def _at_least(what: str, found: float, limit: float) -> Goal:
    return Goal(what, found, limit, at_most=False, digits=2)


def shown(said: Said) -> str:
    """What else it found: ways in turn, two sizes side by side, and rounds in proportion."""
    tables = []
    if "ways" in said:
        tables.append(table(["way", *said["columns"]], [[way, *row] for way, row in said["ways"].items()]))
    if "many" in said:
        rows = [
            [what, *(f"{statistics.median(said[size][what]):,.4g}" for size in ("few", "many"))]
            for what in said["many"]
        ]
        tables.append(table(["median", "few", "many"], rows))
    if "ratios" in said:
        rows = [
            [f"to the {what}", f"{statistics.median(some):.2f} ({min(some):.2f} to {max(some):.2f})"]
            for what, some in said["ratios"].items()
        ]
        tables.append(table(["in proportion", "median (least to most)"], rows))
    return "\n\n".join(tables)
