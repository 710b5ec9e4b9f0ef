"""Come-back tokens: what a browser follows a job with."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.keys import Tenant, connected, require_no_tenant
from orchestrator.cli.options import AsJson, DataDir, Url
from orchestrator.cli.spans import seconds

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make come-back tokens, which let a browser follow a job.",
)
LONGEST = 90 * 86_400  # seconds


@app.command()
def make(
    job_id: Annotated[
        str | None, typer.Option("--job", metavar="JOB", help="The id of one job.", show_default=False)
    ] = None,
    end_user: Annotated[
        str | None,
        typer.Option(metavar="ID", help="An end user whose jobs it can read.", show_default=False),
    ] = None,
    tenant: Tenant = "default",
    expires: Annotated[str, typer.Option(metavar="SPAN", help="How long it is valid, at most 90d.")] = "1d",
    url: Url = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a token for one job or one end user, and print it."""
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.reached import where
    from orchestrator.cli.screen import print_json
    from orchestrator.engine import granting

    if (lasts := seconds(expires)) > LONGEST:
        raise typer.BadParameter("a token lasts 90 days at most")
    settings, there = where(url, data_dir)
    if there:
        require_no_tenant(tenant)
        with connected(settings, there) as client:
            told = client.make_token(job_id=job_id, end_user=end_user, expires_in_seconds=lasts)
        print_json(told.model_dump(mode="json")) if as_json else print(told.token)
        return
    with opened(settings) as context:
        made, whole = granting.make_token(
            context.store, wiring.chance, tenant, lasts=lasts, job_id=job_id, end_user=end_user
        )
    token = whole.get_secret_value()
    facts = {"id": made.id, "job_id": made.job_id, "end_user": made.end_user, "expires_at": made.expires_at}
    print_json({**facts, "token": token}) if as_json else print(token)
