"""API keys: who may call the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import AsJson, DataDir
from orchestrator.cli.spans import seconds
from orchestrator.core.access import Scope

if TYPE_CHECKING:
    from orchestrator.store.api_keys import ApiKey

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make, list and revoke API keys.",
)
Tenant = Annotated[str, typer.Option(metavar="TENANT", help="Whose jobs it is for.")]


@app.command()
def make(
    name: Annotated[str, typer.Option(help="What it is for, for people.")],
    scopes: Annotated[
        list[Scope],
        typer.Option(
            "--scope",
            help="What it may do: submit, cancel and retry jobs; read; operate (replay, resolve); "
            "admin (keys). May be repeated.",
        ),
    ],
    tenant: Tenant = "default",
    expires: Annotated[
        str | None,
        typer.Option(metavar="SPAN", help="When it ends, such as 30d. Without: never.", show_default=False),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, this once: nobody can show it again."""
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.screen import print_json
    from orchestrator.engine import granting

    lasts = None if expires is None else seconds(expires)
    with opened(wiring.read_settings(quiet=True, data_dir=data_dir), create=True) as context:
        made, whole = granting.make_key(
            context.store, wiring.chance, tenant, name=name, scopes=scopes, lasts=lasts
        )
    key = whole.get_secret_value()
    print_json({**_shown(made), "key": key}) if as_json else print(key)


@app.command("list")
def list_all(
    tenant: Annotated[
        str | None, typer.Option(metavar="TENANT", help="Only those of this tenant.", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List keys, also those that ended; never what proves them."""
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.screen import print_json
    from orchestrator.engine import granting

    with opened(wiring.read_settings(quiet=True, data_dir=data_dir)) as context:
        found = granting.list_keys(context.store, tenant)
        with context.store.read() as tx:
            now = tx.now
    print_json([_shown(one) for one in found]) if as_json else _print(found, now)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key, as `keys list` names it.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """End a key: within five seconds every process refuses it."""
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.screen import print_json, text
    from orchestrator.engine import granting

    with opened(wiring.read_settings(quiet=True, data_dir=data_dir)) as context:
        ended = granting.revoke_key(context.store, key_id)
    print_json(_shown(ended)) if as_json else print(f"revoked {ended.id}: {text(ended.name)}")


def _shown(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "tenant": key.tenant_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }


def _print(found: list[ApiKey], now: float) -> None:
    from orchestrator.cli.screen import ago, print_table

    if not found:
        print("no keys; `orchestrator keys make` makes one")
        return
    rows = [
        (
            one.id,
            one.tenant_id,
            " ".join(sorted(one.scopes)),
            "never" if one.last_used_at is None else f"{ago(now - one.last_used_at)} ago",
            _standing(one, now),
            one.name,
        )
        for one in found
    ]
    print_table(("id", "tenant", "scopes", "used", "standing", "name"), rows)


def _standing(key: ApiKey, now: float) -> str:
    from orchestrator.cli.screen import ago

    if ended := key.ended(now):
        return ended.removeprefix("was ").removeprefix("has ")
    return "good" if key.expires_at is None else f"ends in {ago(key.expires_at - now)}"
