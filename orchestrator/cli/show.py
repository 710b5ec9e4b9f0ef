"""Everything about one job."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import AsJson, DataDir, JobName, Url


def show(
    name: JobName,
    raw: Annotated[
        bool, typer.Option("--raw", help="Also show payloads as they were received; not over the API.")
    ] = False,
    support: Annotated[
        bool,
        typer.Option(
            "--support",
            help="Only print a text to paste into a support request; it has no secrets and no prompt.",
        ),
    ] = False,
    url: Url = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show everything about a job.

    Facts, what went wrong and whose fault it was, the timeline, outputs and hand-offs.
    """
    from orchestrator.cli.reached import reached

    with reached(url, data_dir) as there:
        found = there.whole(name, raw=raw)
    if as_json:
        from orchestrator.cli.screen import print_json

        print_json(found.document)
        return
    from orchestrator.cli.job_page import print_page, print_support

    if support:
        print_support(found.findings)
    else:
        print_page(found.standing, found.timeline, found.tries, found.findings, raw=raw, why=found.why)
