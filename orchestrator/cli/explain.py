"""Why a job is looked at when it is."""

from __future__ import annotations

from orchestrator.cli.options import AsJson, DataDir, JobName


def explain(name: JobName, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Say in words when a job is looked at next, and why.

    For a job that has ended: how that became known. It is worked out from the database, with the settings of
    this command, so give it those of the workers.
    """
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.explain_page import print_explained
    from orchestrator.engine import standing
    from orchestrator.engine.explaining import explain as worked_out

    with opened(wiring.read_settings(quiet=True, data_dir=data_dir)) as context, context.store.read() as tx:
        job = standing.find(tx, name)
        found = worked_out(tx, context, standing.read(tx, [job.id])[0])
    print_explained(found, as_json=as_json)
