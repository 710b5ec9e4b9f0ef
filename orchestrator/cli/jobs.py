"""Which jobs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import AsJson, DataDir, Limit, Url, one_of
from orchestrator.core.blame import Fault
from orchestrator.core.lifecycle import State

if TYPE_CHECKING:
    from orchestrator.cli.reached import Listed
    from orchestrator.core.job import Job


def jobs(
    states: Annotated[
        list[State] | None,
        typer.Option(
            "--state",
            metavar="STATE",
            help=f"Only jobs in this state; may be repeated. {one_of(State)}",
            show_default=False,
        ),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Only jobs with this reference.", show_default=False)
    ] = None,
    end_user: Annotated[
        str | None, typer.Option(metavar="ID", help="Only jobs for this end user.", show_default=False)
    ] = None,
    blame: Annotated[
        Fault | None,
        typer.Option(
            metavar="FAULT",
            help=f"Only jobs that met this fault, whether it decided how they ended or not. {one_of(Fault)}",
            show_default=False,
        ),
    ] = None,
    limit: Limit = 20,
    url: Url = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List the newest jobs."""
    from orchestrator.cli.reached import Some, reached
    from orchestrator.cli.screen import print_json

    with reached(url, data_dir) as there:
        found = there.latest(Some(states or (), reference, end_user, blame), limit)
    print_json(found.document) if as_json else _print(found)


def _print(found: Listed) -> None:
    from orchestrator.cli.screen import print_table, text

    columns = ("job", "state", "won by", "looks", "hooks", "age", "reference")
    print_table(columns, [_row(job, found.now) for job in found.jobs], right=("looks", "hooks", "age"))
    if found.beyond:
        print(f"{found.beyond}; --limit shows more")
    elif not found.jobs:
        print("no jobs")
    if any(job.needs_person for job in found.jobs):
        print("* needs a person: `orchestrator show JOB` lists the ways out")
    for reason in dict.fromkeys(found.held.values()):
        print(f"accepted jobs are held: {text(reason)}")


def _row(job: Job, now: float) -> tuple[Any, ...]:
    from orchestrator.cli.screen import ago

    state = f"{job.state} *" if job.needs_person else job.state
    age = ago(now - job.accepted_at)
    return (job.id, state, job.won_by, job.looks, job.webhooks, age, job.reference)
