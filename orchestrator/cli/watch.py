"""Following jobs from anywhere."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.exits import Exit
from orchestrator.cli.options import AsJsonLines, DataDir, Url

MOST = 1000


def watch(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="JOB...",
            help="Jobs, by our id or its beginning, your reference, or the gateway's id.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All jobs that are not finished yet.")] = False,
    url: Url = None,
    data_dir: DataDir = None,
    as_json: AsJsonLines = False,
) -> None:
    """Follow jobs live until their results are handed off.

    Exit code 0 if all completed and were handed off, 1 if some ended otherwise or need a person. Ctrl-C only
    stops the watching: the jobs go on.
    """
    from orchestrator import wiring
    from orchestrator.cli.following import follow
    from orchestrator.cli.progress import display
    from orchestrator.cli.reached import reached

    if bool(names) == every:
        raise typer.BadParameter("name jobs, or say --all")
    with reached(url, data_dir) as there:
        found = there.unfinished(MOST) if every else [there.find(name).id for name in names or ()]
        ids = list(dict.fromkeys(found))
        if not ids and not as_json:
            print("no job is open")
        with display(as_json=as_json, clock=wiring.monotonic) as shown:
            ended = follow(there.standings, ids, shown, there.every)
    if not all(one.well for one in ended):
        raise typer.Exit(Exit.OTHERWISE)
