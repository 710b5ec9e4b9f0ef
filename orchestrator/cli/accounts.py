"""Accounts at the gateway: whose key makes whose jobs, and where its webhooks arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import AsJson, DataDir

if TYPE_CHECKING:
    from orchestrator.engine.account_changes import Wanted

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Gateway accounts of tenants: list, add, change, remove.",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the account is called.")]
Tenant = Annotated[str, typer.Option(metavar="TENANT", help="The tenant it belongs to.")]
BaseUrl = Annotated[
    str | None,
    typer.Option(help="The gateway's base URL, if not as ORCHESTRATOR_GATEWAY_URL says.", show_default=False),
]
KeyVariable = Annotated[
    str | None,
    typer.Option(
        "--api-key-env",
        metavar="VARIABLE",
        help="The environment variable that the gateway's key is read from now.",
        show_default=False,
    ),
]
Endpoint = Annotated[
    str | None,
    typer.Option(metavar="UUID", help="The gateway's webhook endpoint that calls us.", show_default=False),
]
SecretVariables = Annotated[
    list[str] | None,
    typer.Option(
        "--webhook-secret-env",
        metavar="VARIABLE",
        help="The environment variable with a signing secret of that endpoint; may be repeated.",
        show_default=False,
    ),
]


@app.command("list")
def list_all(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List all accounts and their webhook URLs; secrets are masked."""
    from orchestrator import wiring
    from orchestrator.cli.accounts_page import every, print_all
    from orchestrator.cli.database import opened
    from orchestrator.cli.screen import print_json

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    with opened(settings) as context:
        found = every(settings, context.store)
    print_json(found) if as_json else print_all(found)


@app.command()
def add(
    name: Name,
    tenant: Tenant,
    base_url: BaseUrl = None,
    api_key_env: KeyVariable = None,
    webhook_endpoint_id: Endpoint = None,
    webhook_secret_env: SecretVariables = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Add a gateway account of a tenant.

    Running processes use it within two seconds. Without --api-key-env the gateway's key is read from standard
    input. It is stored encrypted.
    """
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.engine import account_changes

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    wanted = _wanted(base_url, api_key_env, webhook_endpoint_id, webhook_secret_env, key_needed=True)
    account_id = f"acct_{wiring.new_id()}"
    with opened(settings, create=True) as context:
        account_changes.add(context.store, wiring.vault(settings), account_id, tenant, name, wanted)
        _told(settings, context.store, account_id, as_json, f"{name} of {tenant} was added")


@app.command()
def change(
    name: Name,
    tenant: Tenant = "default",
    base_url: BaseUrl = None,
    api_key_env: KeyVariable = None,
    api_key_stdin: Annotated[
        bool, typer.Option("--api-key-stdin", help="Read another key of the gateway from standard input.")
    ] = False,
    webhook_endpoint_id: Endpoint = None,
    webhook_secret_env: SecretVariables = None,
    only: Annotated[
        bool,
        typer.Option(
            "--only-these-secrets", help="Accept only the signing secrets given now. Default: older ones too."
        ),
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Change an account; what you do not give stays as it is.

    Running processes use the change within two seconds.
    """
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.engine import account_changes

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    given = (base_url, api_key_env, webhook_endpoint_id, webhook_secret_env)
    wanted = _wanted(*given, key_needed=api_key_stdin, only=only)
    with opened(settings, create=True) as context:
        changed = account_changes.change(context.store, wiring.vault(settings), tenant, name, wanted)
        _told(settings, context.store, changed.id, as_json, f"{name} of {tenant} was changed")


@app.command()
def remove(name: Name, tenant: Tenant, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Remove an account and its secrets; refused while jobs need it."""
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.screen import print_json
    from orchestrator.engine import account_changes

    with opened(wiring.read_settings(quiet=True, data_dir=data_dir)) as context:
        account_changes.remove(context.store, tenant, name)
    told = {"name": name, "tenant": tenant, "removed": True}
    print_json(told) if as_json else print(f"{name} of {tenant} was removed")


def _wanted(
    base_url: str | None,
    key_variable: str | None,
    endpoint: str | None,
    secret_variables: list[str] | None,
    *,
    key_needed: bool,
    only: bool = False,
) -> Wanted:
    from pydantic import SecretStr

    from orchestrator.cli.destination_options import read_secret
    from orchestrator.engine.account_changes import Wanted

    signing = tuple(_from_environment(one) for one in secret_variables or ())
    key = _from_environment(key_variable) if key_variable else None
    if key is None and key_needed:
        key = SecretStr(read_secret("the gateway's API key: "))
    return Wanted(base_url, key, endpoint, signing, only=only)


def _from_environment(variable: str) -> Any:
    from pydantic import SecretStr

    from orchestrator import wiring
    from orchestrator.errors import RequestError

    if value := wiring.environment().get(variable):
        return SecretStr(value)
    raise RequestError(
        f"the environment variable {variable} is not set", hint="export it, and run this again"
    )


def _told(settings: Any, store: Any, account_id: str, as_json: bool, told: str) -> None:
    from orchestrator.cli.accounts_page import every
    from orchestrator.cli.screen import print_json

    (shown,) = [one for one in every(settings, store) if one.id == account_id]
    if as_json:
        print_json(shown)
        return
    print(told)
    print(f"its webhooks arrive at {shown.webhook_url}")
    if not shown.webhook_endpoint_id:
        print("it has no webhook endpoint: its jobs are followed by looks alone")
