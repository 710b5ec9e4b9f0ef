"""Which jobs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import AsJson, DataDir, Limit
from orchestrator.core.lifecycle import State

if TYPE_CHECKING:
    from orchestrator.core.job import Job


def jobs(
    states: Annotated[
        list[State] | None,
        typer.Option("--state", help="Only jobs in this state; may be repeated.", show_default=False),
    ] = None,
    limit: Limit = 20,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List the newest jobs."""
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.screen import print_json, print_table, text
    from orchestrator.engine import standing
    from orchestrator.store import jobs as rows

    with (
        opened(wiring.read_settings(quiet=True, data_dir=data_dir)) as context,
        context.store.read() as tx,
    ):
        found, counts, now = rows.recent(tx, limit=limit, states=states), rows.counts(tx), tx.now
        why = standing.why_held(tx)
    held = {job.id: why[job.tenant_id] for job in found if _is_held(job, why)}
    if as_json:
        print_json([_document(job, held) for job in found])
        return
    columns = ("job", "state", "won by", "looks", "hooks", "age", "reference")
    print_table(columns, [_row(job, now) for job in found], right=("looks", "hooks", "age"))
    there = sum(counts[state] for state in states or counts if state in counts)
    if there > len(found):
        print(f"{len(found)} of {there}; --limit shows more")
    elif not found:
        print("no jobs")
    if any(job.needs_person for job in found):
        print("* needs a person: `orchestrator show JOB` tells the ways out")
    for reason in dict.fromkeys(held.values()):
        print(f"accepted jobs are held: {text(reason)}")


def _row(job: Job, now: float) -> tuple[Any, ...]:
    from orchestrator.cli.screen import ago

    state = f"{job.state} *" if job.needs_person else job.state
    age = ago(now - job.accepted_at)
    return (job.id, state, job.won_by, job.looks, job.webhooks, age, job.reference)


def _is_held(job: Job, why: dict[str, str]) -> bool:
    return job.state is State.ACCEPTED and job.tenant_id in why


def _document(job: Job, held: dict[str, str]) -> dict[str, Any]:
    told = (
        "id reference state gateway_id gateway_status progress won_by looks webhooks clashes needs_person "
        "accepted_at settled_at deadline_at model provider blame failure request_id"
    )
    return {name: getattr(job, name) for name in told.split()} | {"held": held.get(job.id)}
