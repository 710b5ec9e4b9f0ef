"""What jobs would cost, as a table or as a document."""

from __future__ import annotations

from typing import Any

from orchestrator.cli.screen import ago, print_json, print_table, text
from orchestrator.engine.planning import Bounds, Prospect, Way, World

_COLUMNS = ("way", "requests", "a second", "a job", "lag mean", "p50", "p95", "p99", "cost a job")


def print_prospect(
    found: Prospect, world: World, bounds: Bounds, *, jobs: int, within: float, as_json: bool
) -> None:
    """Every way with its numbers; lag in seconds."""
    if as_json:
        print_json(_document(found, world, bounds, jobs, within))
        return
    rate = jobs / within
    print(
        f"{jobs:,} jobs within {ago(within)}: {rate:,.2f} a second; each runs {found.duration:.0f} s in the"
    )
    print(f"mean, so about {rate * found.duration:,.0f} are open at a time")
    for line in world.said:
        print(f"  {text(line)}")
    print()
    print_table(_COLUMNS, [_row(way, bounds, jobs, within) for way in found.ways], right=_COLUMNS[1:])
    print("\nlag: seconds from a job's end until it is known, for all jobs, with or without webhooks")
    print(f"cost: in seconds of lag, a request being worth {bounds.worth:g} of them")
    print(f"floor: no look is sooner than {bounds.floor:g} s after the one before it")
    print(f"\nlearned: {first_looks(found.ways[-1])}")
    if world.jobs == 0:
        print("It is what the rule comes to once it has learned; until then it follows the guidance.")


def first_looks(way: Way) -> str:
    """When a job is looked at that is not heard of and does not end, in words."""
    first, *others = (f"{age:.0f} s" for age in way.first_looks)
    then = f", then at {', '.join(others)} …" if others else ""
    return f"while nothing is heard of a job and it runs, a look at {first} of age{then}"


def _row(way: Way, bounds: Bounds, jobs: int, within: float) -> tuple[str, ...]:
    outlook = way.outlook
    lags = (outlook.lag_mean, outlook.lag_p50, outlook.lag_p95, outlook.lag_p99)
    return (
        way.name,
        f"{outlook.requests * jobs:,.0f}",
        f"{outlook.requests * jobs / within:,.2f}",
        f"{outlook.requests:.3f}",
        *(f"{lag:.1f}" for lag in lags),
        f"{outlook.cost(bounds.worth):.1f}",
    )


def _document(found: Prospect, world: World, bounds: Bounds, jobs: int, within: float) -> dict[str, Any]:
    return {
        "jobs": jobs,
        "within_seconds": within,
        "mean_duration_seconds": found.duration,
        "assumed": list(world.said),
        "jobs_learned_from": world.jobs,
        "floor_seconds": bounds.floor,
        "request_worth_seconds": bounds.worth,
        "longest_spacing_seconds": bounds.longest,
        "ways": [_way(way, bounds, jobs, within) for way in found.ways],
    }


def _way(way: Way, bounds: Bounds, jobs: int, within: float) -> dict[str, Any]:
    outlook = way.outlook
    return {
        "way": way.name,
        "requests": outlook.requests * jobs,
        "requests_per_second": outlook.requests * jobs / within,
        "requests_per_job": outlook.requests,
        "lag_mean": outlook.lag_mean,
        "lag_p50": outlook.lag_p50,
        "lag_p95": outlook.lag_p95,
        "lag_p99": outlook.lag_p99,
        "found_by_look": outlook.rescues,
        "cost_per_job": outlook.cost(bounds.worth),
        "first_looks_at_age": list(way.first_looks),
    }
