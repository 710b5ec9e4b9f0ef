"""Tenants: whose jobs there are, and how much each may."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import AsJson, DataDir

if TYPE_CHECKING:
    from orchestrator.engine.tenants import Changes
    from orchestrator.store.database import Store
    from orchestrator.store.tenants import Tenant

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Add tenants, and set their limits. A limit is a number, 0 for none, or `default` for what the "
    "settings say.",
)
DEFAULT = "default"
Name = Annotated[str, typer.Argument(metavar="NAME", help="The tenant.")]
OpenJobs = Annotated[
    str | None, typer.Option("--max-open-jobs", metavar="N", help="Jobs open at once.", show_default=False)
]
SpendCap = Annotated[
    str | None,
    typer.Option(
        "--spend-cap-usd", metavar="USD", help="US dollars that its jobs may cost.", show_default=False
    ),
]
Requests = Annotated[
    str | None,
    typer.Option("--requests-per-minute", metavar="N", help="API requests a minute.", show_default=False),
]
Looks = Annotated[
    str | None,
    typer.Option(
        "--looks-per-second",
        metavar="N",
        help="Requests a second to the gateway about its open jobs.",
        show_default=False,
    ),
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-origin",
        metavar="ORIGIN",
        help="Allow pages of this origin to use the tenant's come-back tokens; may be repeated.",
        show_default=False,
    ),
]
Forbid = Annotated[
    list[str] | None,
    typer.Option(
        "--forbid-origin",
        metavar="ORIGIN",
        help="No longer allow this origin; may be repeated.",
        show_default=False,
    ),
]


@app.command()
def add(
    name: Name,
    max_open_jobs: OpenJobs = None,
    spend_cap_usd: SpendCap = None,
    requests_per_minute: Requests = None,
    looks_per_second: Looks = None,
    allow: Allow = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Add a tenant."""
    from orchestrator.engine import tenants

    wanted = _changes(max_open_jobs, spend_cap_usd, requests_per_minute, looks_per_second, allow)
    _do(lambda store: [tenants.add(store, name, wanted)], data_dir, as_json, create=True)


@app.command()
def change(
    name: Name,
    max_open_jobs: OpenJobs = None,
    spend_cap_usd: SpendCap = None,
    requests_per_minute: Requests = None,
    looks_per_second: Looks = None,
    allow: Allow = None,
    forbid: Forbid = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Change the limits of a tenant; effective within seconds."""
    from orchestrator.engine import tenants

    wanted = _changes(max_open_jobs, spend_cap_usd, requests_per_minute, looks_per_second, allow, forbid)
    _do(lambda store: [tenants.change(store, name, wanted)], data_dir, as_json)


@app.command("list")
def list_all(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List all tenants with their limits."""
    from orchestrator.engine import tenants

    _do(tenants.list_tenants, data_dir, as_json, several=True)


def _do(
    act: Callable[[Store], list[Tenant]],
    data_dir: DataDir,
    as_json: bool,
    *,
    create: bool = False,
    several: bool = False,
) -> None:
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.screen import print_json

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    with opened(settings, create=create) as context:
        found = act(context.store)
    if as_json:
        shown = [_shown(one) for one in found]
        print_json(shown if several else shown[0])
    else:
        _print(found)


def _changes(
    max_open_jobs: str | None,
    spend_cap_usd: str | None,
    requests_per_minute: str | None,
    looks_per_second: str | None,
    allow: list[str] | None,
    forbid: list[str] | None = None,
) -> Changes:
    from orchestrator.engine.tenants import Changes

    given = {
        "max_open_jobs": (max_open_jobs, int),
        "spend_cap_usd": (spend_cap_usd, float),
        "requests_per_minute": (requests_per_minute, int),
        "looks_per_second": (looks_per_second, float),
    }
    limits = {name: _limit(name, text, kind) for name, (text, kind) in given.items() if text is not None}
    return Changes(limits, tuple(allow or ()), tuple(forbid or ()))


def _limit(name: str, text: str, kind: Callable[[str], float]) -> float | None:
    if text == DEFAULT:
        return None
    try:
        return kind(text)
    except ValueError:
        option = "--" + name.replace("_", "-")
        raise typer.BadParameter(f"{option}: {text!r} is neither a number nor `{DEFAULT}`") from None


def _shown(one: Tenant) -> dict[str, object]:
    return {
        "name": one.id,
        "max_open_jobs": one.max_open_jobs,
        "spend_cap_usd": one.spend_cap_usd,
        "requests_per_minute": one.requests_per_minute,
        "looks_per_second": one.looks_per_second,
        "allowed_origins": list(one.allowed_origins),
        "held_reason": one.held_reason,
    }


def _print(found: list[Tenant]) -> None:
    from orchestrator.cli.screen import print_table

    rows = [
        (
            one.id,
            _words(one.max_open_jobs),
            _words(one.spend_cap_usd),
            _words(one.requests_per_minute),
            _words(one.looks_per_second),
            " ".join(one.allowed_origins),
        )
        for one in found
    ]
    numbers = ("open jobs", "US$", "requests/min", "looks/s")
    print_table(("tenant", *numbers, "origins"), rows, right=numbers)


def _words(limit: float | None) -> str:
    if limit is None:
        return DEFAULT
    return f"{limit:g}" if limit else "any"
