"""API keys: who may call the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import AsJson, DataDir, Url
from orchestrator.cli.spans import seconds
from orchestrator.core.access import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.client import Client
    from orchestrator.settings import Settings
    from orchestrator.store.api_keys import ApiKey
    from orchestrator.wire.access import Key

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make, list and revoke API keys.",
)
Tenant = Annotated[str, typer.Option(metavar="TENANT", help="The tenant it belongs to.")]


@app.command()
def make(
    name: Annotated[str, typer.Option(help="A name for people, such as what it is for.")],
    scopes: Annotated[
        list[Scope],
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="What it may do: submit, cancel and retry jobs; read; operate (replay, resolve); "
            "admin (keys); installation (on the dashboard, every tenant and the inbox). May be repeated.",
        ),
    ],
    tenant: Tenant = "default",
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN", help="How long it is valid, such as 30d. Default: forever.", show_default=False
        ),
    ] = None,
    url: Url = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and print it. It cannot be shown again."""
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.reached import where
    from orchestrator.cli.screen import print_json
    from orchestrator.engine import granting

    lasts = None if expires is None else seconds(expires)
    settings, there = where(url, data_dir)
    if there:
        require_no_tenant(tenant)
        with connected(settings, there) as client:
            told = client.make_key(name, scopes, expires_in_seconds=lasts)
        print_json(told.model_dump(mode="json")) if as_json else print(told.key)
        return
    with opened(settings, create=True) as context:
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
    url: Url = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List keys, including expired and revoked ones; never their secrets."""
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.reached import where
    from orchestrator.cli.screen import print_json
    from orchestrator.engine import granting

    settings, there = where(url, data_dir)
    if there:
        require_no_tenant(tenant)
        with connected(settings, there) as client:
            told, whose = client.keys(), client.whoami().tenant
        if as_json:
            print_json([one.model_dump(mode="json") for one in told])
        else:
            _print(_rows(told, whose), wiring.wall_clock())
        return
    with opened(settings) as context:
        found = granting.list_keys(context.store, tenant)
        with context.store.read() as tx:
            now = tx.now
    print_json([_shown(one) for one in found]) if as_json else _print(found, now)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key, as `keys list` names it.")],
    url: Url = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a key: every process refuses it within five seconds."""
    from orchestrator.cli.database import opened
    from orchestrator.cli.reached import where
    from orchestrator.cli.screen import print_json, text
    from orchestrator.engine import granting

    document: object
    settings, there = where(url, data_dir)
    if there:
        with connected(settings, there) as client:
            told = client.revoke_key(key_id)
        document, name = told.model_dump(mode="json"), told.name
    else:
        with opened(settings) as context:
            ended = granting.revoke_key(context.store, key_id)
        document, name = _shown(ended), ended.name
    print_json(document) if as_json else print(f"revoked {key_id}: {text(name)}")


def connected(settings: Settings, url: str) -> Client:
    """The client for the API there. Raises SettingError without a key for it."""
    from orchestrator.cli import remote

    return remote.connected(url, settings.api_key)


def require_no_tenant(tenant: str | None) -> None:
    """Over the API the tenant is that of the key."""
    if tenant not in (None, "default"):
        raise typer.BadParameter("over the API it is the key that says which tenant; leave out --tenant")


def _rows(told: Sequence[Key], tenant: str) -> list[ApiKey]:
    from orchestrator.cli.told import key

    return [key(one, tenant) for one in told]


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
