"""Everything about one job."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import AsJson, DataDir, JobName


def show(
    name: JobName,
    raw: Annotated[bool, typer.Option("--raw", help="Also what was received, as it came.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show everything about a job: what is known, its timeline, its outputs, and what is owed for it."""
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.job_page import as_document, print_page
    from orchestrator.engine import standing
    from orchestrator.store import attempts, observations

    with (
        opened(wiring.read_settings(quiet=True, data_dir=data_dir)) as context,
        context.store.read() as tx,
    ):
        job = standing.find(tx, name)
        found = standing.read(tx, [job.id])[0]
        timeline, tries = observations.of_job(tx, job.id), attempts.of_job(tx, job.id)
    if as_json:
        from orchestrator.cli.screen import print_json

        print_json(as_document(found, timeline, tries, raw=raw))
    else:
        print_page(found, timeline, tries, raw=raw)
