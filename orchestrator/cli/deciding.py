"""What a person decides about a job."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import AsJson, DataDir, JobName, Url
from orchestrator.core.job import HandOffState
from orchestrator.core.lifecycle import SETTLED, State
from orchestrator.errors import NotAllowed

if TYPE_CHECKING:
    from orchestrator.cli.reached import Decided


def resolve(
    name: JobName,
    adopt: Annotated[
        str | None,
        typer.Option(metavar="GATEWAY_ID", help="It is this job at the gateway.", show_default=False),
    ] = None,
    resubmit: Annotated[
        bool,
        typer.Option(
            "--resubmit", help="Create it again. If the first call did make a job, you pay for both."
        ),
    ] = False,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Stop waiting. A webhook that still arrives counts.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a --resubmit.")] = False,
    url: Url = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Settle a create whose answer was lost."""
    from orchestrator.cli.reached import reached

    if [adopt is not None, resubmit, give_up].count(True) != 1:
        raise typer.BadParameter("give exactly one of --adopt GATEWAY_ID, --resubmit and --give-up")
    with reached(url, data_dir) as there:
        job = there.find(name)
        if adopt is not None:
            there.adopt(job.id, adopt)
        elif resubmit:
            if job.state is State.UNCERTAIN:  # else it is refused anyway
                _accept_the_risk(job.id, yes)
            there.resubmit(job.id)
        else:
            there.give_up(job.id)
        _print(there.decided(job.id), as_json)


def cancel(name: JobName, url: Url = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Cancel a job: nothing more is handed off.

    Before its create call it is cancelled and costs nothing. After that the gateway cannot cancel it: it runs
    on, and you pay for it.
    """
    from orchestrator.cli.reached import reached

    with reached(url, data_dir) as there:
        job = there.find(name)
        there.cancel(job.id)
        _print(there.decided(job.id), as_json)


def retry(name: JobName, url: Url = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Submit a job that ended badly again, as a new job.

    Prints the id of the new one.
    """
    from orchestrator.cli.reached import reached
    from orchestrator.cli.submit import print_kept

    with reached(url, data_dir) as there:
        kept = there.retry(there.find(name).id)
    print_kept([kept], as_json=as_json)


def _accept_the_risk(job_id: str, yes: bool) -> None:
    risk = "If the first create call did make a job, the gateway bills that one and the new one."
    if yes:
        return
    if not sys.stdin.isatty():
        raise NotAllowed(
            f"resubmitting {job_id} may cost twice as much", hint=f"{risk} Say --yes to accept that"
        )
    print(risk, file=sys.stderr)
    if not typer.confirm("Create it again?", err=True):
        raise NotAllowed("nothing was done")


def _print(decided: Decided, as_json: bool) -> None:
    from orchestrator.cli.screen import print_json
    from orchestrator.cli.words import doing

    if as_json:
        print_json(decided.document)
        return
    found = decided.standing
    job = found.job
    print(f"{job.id} is {job.state}: {doing(found)}")
    if job.cancel_requested_at is not None and job.state not in SETTLED:
        print("it runs on at the gateway, which cannot cancel and bills it; nothing of it is handed off")
    elif job.cancel_requested_at is not None:
        brought = [one.state is HandOffState.DONE for one in found.deliveries]
        print(f"too late to cancel: it had ended; {sum(brought)} of {len(brought)} hand-offs were done")
