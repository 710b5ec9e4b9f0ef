"""The webhook endpoint at the gateway: made, given another secret, and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import AsJson, DataDir

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Manage the webhook endpoint at the gateway.",
)

Account = Annotated[str, typer.Option(metavar="NAME", help="The account whose endpoint it is.")]
Tenant = Annotated[str, typer.Option(metavar="TENANT", help="Whose account that is.")]
KeyVariable = Annotated[
    str,
    typer.Option(
        "--management-key-env",
        metavar="VARIABLE",
        help="The environment variable with a management key of the account's workspace.",
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        help="The URL at which the outside reaches the receiver, if not as ORCHESTRATOR_PUBLIC_URL says.",
        show_default=False,
    ),
]
EnvFile = Annotated[
    Path | None,
    typer.Option(
        help="Store id and secret in this settings file, which only its owner and group can read, and "
        "not in the database.",
        show_default=False,
    ),
]
ShowSecret = Annotated[
    bool,
    typer.Option("--show-secret", help="Print the secret, for the settings, and store it nowhere."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


@app.command()
def register(
    account: Account = "default",
    tenant: Tenant = "default",
    url: BaseUrl = None,
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="Take over an endpoint with this URL that was made elsewhere."),
    ] = False,
    env_file: EnvFile = None,
    show_secret: ShowSecret = False,
    management_key_env: KeyVariable = "PHASEO_MANAGEMENT_KEY",
    dry_run: DryRun = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create the webhook endpoint at the gateway, or repair it.

    Sets its URL and events and enables it; never creates a second one. Its id and its secret are stored
    encrypted with the account (ORCHESTRATOR_SECRET_KEYS); running processes use them within two seconds.
    """
    from orchestrator import wiring
    from orchestrator.cli import webhooks_desk, webhooks_page

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    place = webhooks_desk.Place(env_file, show_secret)
    changes = None if dry_run else place
    with webhooks_desk.at(settings, tenant, account, management_key_env, changes=changes) as desk:
        webhooks_page.print_done(desk.register(url, place, adopt=adopt, dry_run=dry_run), as_json=as_json)


@app.command()
def rotate(
    account: Account = "default",
    tenant: Tenant = "default",
    env_file: EnvFile = None,
    show_secret: ShowSecret = False,
    management_key_env: KeyVariable = "PHASEO_MANAGEMENT_KEY",
    dry_run: DryRun = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Let the gateway sign with a new secret.

    The old one is accepted for 40 minutes more, for what is on its way. If this is interrupted, run it again:
    nothing that was sent is lost.
    """
    from orchestrator import wiring
    from orchestrator.cli import webhooks_desk, webhooks_page

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    place = webhooks_desk.Place(env_file, show_secret)
    changes = None if dry_run else place
    with webhooks_desk.at(settings, tenant, account, management_key_env, changes=changes) as desk:
        webhooks_page.print_done(desk.rotate(place, dry_run=dry_run), as_json=as_json)


@app.command()
def status(
    account: Account = "default",
    tenant: Tenant = "default",
    management_key_env: KeyVariable = "PHASEO_MANAGEMENT_KEY",
    deliveries: Annotated[int, typer.Option(min=0, max=1_000, help="How many of the latest attempts.")] = 10,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show the endpoint, its latest deliveries, and our secrets.

    Exit code 1 if webhooks cannot arrive as things are. Without a management key it shows what can be known
    without one.
    """
    from orchestrator import wiring
    from orchestrator.cli import webhooks_desk, webhooks_page, webhooks_status
    from orchestrator.cli.exits import Exit
    from orchestrator.cli.screen import print_json

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    with webhooks_desk.at(settings, tenant, account, management_key_env) as desk:
        found = webhooks_status.status(desk, deliveries)
    print_json(found) if as_json else webhooks_page.print_status(found)
    if any(one.serious for one in found.troubles):
        raise typer.Exit(Exit.OTHERWISE)
