"""What a person decides about a job."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from orchestrator.cli.options import AsJson, DataDir, JobName
from orchestrator.core.job import HandOffState
from orchestrator.core.lifecycle import SETTLED, State
from orchestrator.errors import NotAllowed


def resolve(
    name: JobName,
    adopt: Annotated[
        str | None,
        typer.Option(metavar="GATEWAY_ID", help="It is this job of the gateway's.", show_default=False),
    ] = None,
    resubmit: Annotated[
        bool, typer.Option("--resubmit", help="Ask again: if the first call did make a job, both are paid.")
    ] = False,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Stop waiting; a webhook that still comes counts.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a --resubmit.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Decide about a job whose create call may or may not have made a paid job."""
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.engine import resolve as engine
    from orchestrator.engine import standing

    if [adopt is not None, resubmit, give_up].count(True) != 1:
        raise typer.BadParameter("say one of --adopt GATEWAY_ID, --resubmit and --give-up")
    with opened(wiring.read_settings(quiet=True, data_dir=data_dir)) as context:
        with context.store.read() as tx:
            job = standing.find(tx, name)
        if adopt is not None:
            engine.adopt(context, job.id, adopt)
        elif resubmit:
            if job.state is State.UNCERTAIN:  # else it is refused anyway
                _accept_the_risk(job.id, yes)
            engine.resubmit(context, job.id)
        else:
            engine.give_up(context, job.id)
        _print_state(context, job.id, as_json)


def cancel(name: JobName, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Want a job no more: nothing is handed off any more.

    Before its create call it is cancelled and costs nothing. Afterwards the gateway cannot cancel it: it
    runs on and is paid.
    """
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.engine import resolve as engine
    from orchestrator.engine import standing

    with opened(wiring.read_settings(quiet=True, data_dir=data_dir)) as context:
        with context.store.read() as tx:
            job = standing.find(tx, name)
        engine.cancel(context, job.id)
        _print_state(context, job.id, as_json)


def _accept_the_risk(job_id: str, yes: bool) -> None:
    risk = "If the first create call did make a job, the gateway bills that one and the new one."
    if yes:
        return
    if not sys.stdin.isatty():
        raise NotAllowed(f"resubmitting {job_id} may cost double", hint=f"{risk} Say --yes to accept that")
    print(risk, file=sys.stderr)
    if not typer.confirm("Create it again?", err=True):
        raise NotAllowed("nothing was done")


def _print_state(context: Any, job_id: str, as_json: bool) -> None:
    from orchestrator.cli.screen import print_json
    from orchestrator.cli.words import doing
    from orchestrator.engine import standing

    with context.store.read() as tx:
        found = standing.read(tx, [job_id])[0]
    job = found.job
    if as_json:
        print_json(
            {"id": job.id, "state": job.state, "cancel_requested": job.cancel_requested_at is not None}
        )
        return
    print(f"{job.id} is {job.state}: {doing(found)}")
    if job.cancel_requested_at is not None and job.state not in SETTLED:
        print("it runs on at the gateway, which cannot cancel and bills it; nothing of it is handed off")
    elif job.cancel_requested_at is not None:
        brought = [one.state is HandOffState.DONE for one in found.deliveries]
        print(f"too late to cancel: it had ended; {sum(brought)} of {len(brought)} hand-offs were done")
