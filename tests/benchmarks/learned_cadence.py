"""What looking costs, on real processes with the sandbox: by the guidance, with a fixed net, and as learned.

    python -m tests.benchmarks.learned_cadence --rows narrow two-humps/instant/0.02 --json numbers.json
    python -m tests.benchmarks.learned_cadence --rows stopped thrice

Each row is one world: when jobs end, how their webhooks come, what share of these is lost. Every policy gets
the same jobs, on a deployment of its own, at a steady rate over the API. The first ones are for learning
and told apart. Seconds in the tables are the gateway's; they pass `--factor` times as fast. Requests are
those in the sandbox's log; lag is from the provider's end to the job being settled. A row of a shape alone
has no webhooks; `stopped` and `thrice` are worlds that change (tests/benchmarks/cadence/changes.py).
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.benchmarks.cadence import changes
from tests.benchmarks.cadence.drawn import HOOKS, NAMED, Cell, Cost, optimum
from tests.benchmarks.cadence.processes import POLICIES, Told, cost_of, running
from tests.benchmarks.hook_to_file import percentile

MAIN = (
    "narrow",
    "log-normal",
    "two-humps",
    "heavy-tail",
    "narrow/instant/0",
    "log-normal/instant/0.02",
    "two-humps/instant/0.02",
    "narrow/late/0",
    "log-normal/late/0.02",
    "log-normal/late/0.2",
)
LOSSES = ("0", "0.02", "0.2")
NEARLY_ALL = 0.95  # of the jobs to learn from have settled before the others are submitted
HEADS = (
    *("row", "policy", "phase", "jobs", "requests", "lag", "p50", "p95", "p99"),
    *("cost", "optimum", "by_look", "below_floor"),
)
Row = dict[str, Any]


def measure(cell: Cell, policy: str, given: argparse.Namespace) -> list[Row]:
    """One world under one policy: what the jobs for learning cost, and what the others cost."""
    drawn = cell.draw(given.learn + given.jobs, given.seed)
    first, later = drawn[: given.learn], drawn[given.learn :]
    polled = cell.hooks == "none"
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), policy, given.factor, fleet=given.fleet) as run,
    ):
        cold = run.submit(first, given.rate, polled=polled)
        run.settle(cold, NEARLY_ALL)
        cold_lists = run.lists() / max(len(cold), 1)
        warm = run.submit(later, given.rate, polled=polled)
        run.settle(cold + warm)
        lists = run.lists() / max(len(warm), 1)
        facts = {"row": cell.name, "policy": policy, "statuses": run.statuses(), "warnings": run.warnings()}
        return [
            facts | {"phase": phase} | numbers(run.told(ids), shared) | _best(cell, jobs)
            for phase, ids, shared, jobs in (
                ("learning", cold, cold_lists, first),
                ("learned", warm, lists, later),
            )
            if ids
        ]


def numbers(told: Sequence[Told], lists: float = 0.0) -> Row:
    """What so many jobs cost in all."""
    cost = cost_of(told, lists)
    lags = {f"p{share * 100:g}": round(percentile(cost.lags, share), 1) for share in (0.5, 0.95, 0.99)}
    return {
        "jobs": len(told),
        "requests": round(sum(cost.requests) / len(told), 4),
        "lists": round(lists, 4),
        "lag": round(sum(cost.lags) / len(told), 2),
        **lags,
        "cost": round(cost.mean, 2),
        "by_look": round(sum(one.by_look for one in told) / len(told), 4),
        "below_floor": sum(one.below_floor for one in told),
    }


def _best(cell: Cell, drawn: Sequence[Any]) -> Row:
    best: Cost = optimum(cell, drawn)
    return {"optimum": round(best.mean, 2)}


def table(rows: Sequence[Row]) -> str:
    """The same for people."""
    lines = ["| " + " | ".join(HEADS) + " |", "|---" * 3 + "|---:" * (len(HEADS) - 3) + "|"]
    lines += ["| " + " | ".join(str(row[head]) for head in HEADS) + " |" for row in rows]
    return "\n".join(lines)


def cells(asked: Sequence[str]) -> list[Cell]:
    """The worlds of that name; `main` and `all` are several. Raises ValueError for a name that is none."""
    every = [
        *NAMED,
        *(f"{shape}/{hooks}/{loss}" for shape in NAMED for hooks in HOOKS[1:] for loss in LOSSES),
    ]
    names = [name for one in asked for name in {"main": MAIN, "all": every}.get(one, (one,))]
    return [_cell(name) for name in names if name not in changes.NAMES]


def _cell(name: str) -> Cell:
    shape, *hooks = name.split("/")
    if shape not in NAMED or len(hooks) not in (0, 2) or (hooks and hooks[0] not in HOOKS):
        raise ValueError(f"no row {name!r}; give SHAPE or SHAPE/HOOKS/LOSS, as {MAIN[0]} or {MAIN[-1]}")
    return Cell(shape, hooks[0], float(hooks[1])) if hooks else Cell(shape)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=["main"], help="rows, main, all, stopped, thrice")
    parser.add_argument("--policies", nargs="+", default=["guidance", "learned"], choices=POLICIES)
    parser.add_argument("--factor", type=float, default=10.0, help="how many times as fast time passes")
    parser.add_argument("--rate", type=float, default=10.0, help="jobs in a second of this machine")
    parser.add_argument("--learn", type=int, default=300, help="jobs to learn from")
    parser.add_argument("--jobs", type=int, default=700, help="jobs that are measured after that")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fleet", action="store_true", help="PostgreSQL, Redis, two workers")
    parser.add_argument("--together", type=int, default=1, help="policies that are measured at once")
    parser.add_argument("--json", type=Path, help="where the numbers go too, a line each")
    return parser


def main() -> int:
    """Measure and print; 1 if any look was below the floor."""
    parser = _options()
    given = parser.parse_args()
    try:
        worlds = cells(given.rows)
    except ValueError as error:
        parser.error(str(error))
    rows: list[Row] = []
    with ThreadPoolExecutor(given.together) as pool:
        for cell in worlds:
            for found in pool.map(lambda policy, cell=cell: measure(cell, policy, given), given.policies):
                rows += found
                _keep(given.json, found)
    if rows:
        print(table(rows))
    below = sum(row["below_floor"] for row in rows)
    for name in [name for name in changes.NAMES if name in given.rows]:
        changed = changes.measure(name, given)
        _keep(given.json, [changed])
        print(changes.told(changed))
        below += changed["below_floor"]
    print(f"looks below the floor: {below}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return int(below > 0)


def _keep(path: Path | None, rows: Sequence[Row]) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    sys.stderr.write(lines)
    if path is not None:
        with path.open("a") as file:
            file.write(lines)


if __name__ == "__main__":
    sys.exit(main())
