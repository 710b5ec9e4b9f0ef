"""The webhook endpoint at the gateway: made, given another secret, and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import AsJson, DataDir

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The webhook endpoint at the gateway: make or mend it, change its signing secret, see how it does.",
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
        help="Keep id and secret in this file of settings, for its owner alone, and not in the database.",
        show_default=False,
    ),
]
ShowSecret = Annotated[
    bool,
    typer.Option("--show-secret", help="Keep the secret nowhere and print it, for the settings."),
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
    """Make the account's webhook endpoint at the gateway, or mend it: URL, events, active; never a second.

    Its id and its secret are kept with the account, encrypted (ORCHESTRATOR_SECRET_KEYS); running processes
    use them within two seconds.
    """
    from orchestrator import wiring
    from orchestrator.cli import webhooks_desk, webhooks_page

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    place = webhooks_desk.Place(env_file, show_secret)
    with webhooks_desk.at(
        settings, tenant, account, management_key_env, make=place.here and not dry_run
    ) as desk:
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
    """Let the gateway sign with a new secret; the old one is believed 40 minutes more, for what is under way.

    Stopped at any moment, run it again: nothing that was sent is lost.
    """
    from orchestrator import wiring
    from orchestrator.cli import webhooks_desk, webhooks_page

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    place = webhooks_desk.Place(env_file, show_secret)
    with webhooks_desk.at(
        settings, tenant, account, management_key_env, make=place.here and not dry_run
    ) as desk:
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
    """The endpoint as the gateway shows it, its latest deliveries with what we answered, and our secrets.

    Exit code 1 if webhooks do not come as it is. Without a management key, what can be known without one.
    """
    from orchestrator import wiring
    from orchestrator.cli import webhooks_desk, webhooks_page, webhooks_status
    from orchestrator.cli.exits import Exit
    from orchestrator.cli.screen import print_json

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    with webhooks_desk.at(settings, tenant, account, management_key_env, make=False) as desk:
        found = webhooks_status.status(desk, deliveries)
    print_json(found) if as_json else webhooks_page.print_status(found)
    if any(one.serious for one in found.troubles):
        raise typer.Exit(Exit.OTHERWISE)
