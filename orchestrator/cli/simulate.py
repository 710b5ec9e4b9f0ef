"""The simulation: thousands of made-up worlds, and the exact replay of one that broke a promise."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.exits import Exit
from orchestrator.cli.options import AsJson


def simulate(
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="How many seeds; 1000 unless --seconds is given.", show_default=False),
    ] = None,
    first: Annotated[int, typer.Option(min=0, help="The first of them.")] = 1,
    seed: Annotated[int | None, typer.Option(min=0, help="Only this one.", show_default=False)] = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="With --seed: print everything that happens.")
    ] = False,
    jobs: Annotated[
        int, typer.Option(min=0, metavar="N", help="Processes that share the seeds; 0: one for each core.")
    ] = 0,
    seconds: Annotated[
        float | None,
        typer.Option(min=1, help="Stop after so long, with whatever was done.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Test the core against thousands of made-up failures.

    In virtual time: use-cases and SQL are real, everything else follows from a seed. Messages, webhooks and
    answers are lost, late or doubled, and processes die; after every step it checks that no job is lost, none
    is paid twice, and so on. Exit code 1 if something broke, or if no seed was finished; what it prints
    replays a seed exactly. Needs nothing, touches nothing.
    """
    from orchestrator.cli.simulate_page import WITHOUT_LIMIT, print_report, print_trace, run_seeds

    if trace and seed is None:
        raise typer.BadParameter("name the seed to be traced with --seed", param_hint="--trace")
    if trace and seed is not None:
        broken = print_trace(seed, as_json=as_json)
    else:
        many = seeds or (WITHOUT_LIMIT if seconds else 1000)
        chosen = range(first, first + many) if seed is None else range(seed, seed + 1)
        report = run_seeds(chosen, processes=jobs, seconds=seconds, quiet=as_json)
        print_report(report, as_json=as_json)
        broken = not report.ok
    if broken:
        raise typer.Exit(Exit.OTHERWISE)
