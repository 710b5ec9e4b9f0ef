"""Everything about one job."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import AsJson, DataDir, JobName, Url


def show(
    name: JobName,
    raw: Annotated[
        bool, typer.Option("--raw", help="Also what was received, as it came; not over the API.")
    ] = False,
    url: Url = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show everything about a job: what is known, its timeline, its outputs, and what is owed for it."""
    from orchestrator.cli.reached import reached

    with reached(url, data_dir) as there:
        found = there.whole(name, raw=raw)
    if as_json:
        from orchestrator.cli.screen import print_json

        print_json(found.document)
    else:
        from orchestrator.cli.job_page import print_page

        print_page(found.standing, found.timeline, found.tries, raw=raw, why=found.why)
