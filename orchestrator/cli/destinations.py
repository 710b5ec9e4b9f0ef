"""Where results go: listing, adding, removing and trying destinations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.exits import Exit
from orchestrator.cli.options import AsJson, DataDir

if TYPE_CHECKING:
    from orchestrator.engine.destination_settings import DestinationSettings
    from orchestrator.settings import Settings

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Where results go: list, add, remove, try."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A destination.")]


@app.command("list")
def list_all(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List all destinations.

    Those in the file, those that were added by command, and the built-in folder.
    """
    from orchestrator import wiring
    from orchestrator.cli import catalogued
    from orchestrator.cli.destinations_page import print_all
    from orchestrator.cli.screen import print_json

    found = catalogued.every(wiring.read_settings(quiet=True, data_dir=data_dir))
    print_json(found) if as_json else print_all(found)


@app.command()
def show(name: Name, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show everything about a destination; secrets are masked."""
    from orchestrator import wiring
    from orchestrator.cli import catalogued

    _print(catalogued.one(wiring.read_settings(quiet=True, data_dir=data_dir), name), as_json)


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the new destination.")],
    kind: Annotated[str, typer.Option("--type", metavar="KIND", help="Such as folder, bucket or webhook.")],
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=VALUE", help="An option of this kind; may be repeated.", show_default=False
        ),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=SOURCE",
            help="Where a secret is read from now: env:NAME, file:PATH, or - for standard input; may be "
            "repeated. It is kept encrypted.",
            show_default=False,
        ),
    ] = None,
    outcomes: Annotated[
        str | None,
        typer.Option(help="Which outcomes it gets, separated by commas. Default: all.", show_default=False),
    ] = None,
    deliver: Annotated[
        str | None,
        typer.Option(help="files, or link: it gets links instead of files.", show_default=False),
    ] = None,
    at_once: Annotated[
        int | None,
        typer.Option(min=1, help="How many hand-offs to it may run at once, per worker.", show_default=False),
    ] = None,
    tenant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TENANT",
            help="Only jobs of this tenant may go there; may be repeated. Default: all tenants.",
            show_default=False,
        ),
    ] = None,
    not_default: Annotated[
        bool, typer.Option("--not-default", help="Only jobs that name it go there.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace everything about a destination that exists.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Add a destination.

    It is stored in the database; running workers use it within two seconds. A secret is never an argument,
    because it would be in the shell's history and in every list of processes.
    """
    from orchestrator import wiring
    from orchestrator.cli import catalogued
    from orchestrator.cli.database import opened
    from orchestrator.engine import configure, unkept

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    _require_not_in_file(settings, name)
    given: dict[str, Any] = {"deliver": deliver, "at_once": at_once, "default": not not_default}
    given |= {"tenants": tenant} if tenant else {}
    given |= {"outcomes": [one.strip() for one in outcomes.split(",")]} if outcomes is not None else {}
    made, secrets = _described(name, kind, option or [], secret or [], given)
    if not settings.keep_outputs:
        unkept.require_told_only([made.route])
    made = configure.sealed(wiring.vault(settings), made, secrets)
    with opened(settings, create=True) as context:
        wiring.builder(settings, context.http.run).prove(made)
        configure.add(context.store, made, replace=replace)
    if as_json:
        _print(catalogued.one(settings, name), as_json)
        return
    print(f"{name} was {'changed' if replace else 'added'}")
    print(f"`orchestrator destinations check {name}` writes a probe there")


@app.command()
def remove(
    name: Name,
    force: Annotated[
        bool, typer.Option("--force", help="Even if something is still to be handed off there.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Remove a destination that was added by command.

    Refused while something is still to be handed off there.
    """
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.screen import print_json
    from orchestrator.engine import configure

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    _require_not_in_file(settings, name)
    with opened(settings) as context:
        owed = configure.remove(context.store, name, force=force)
    if as_json:
        print_json({"name": name, "removed": True, "owed": owed})
        return
    print(f"{name} was removed")
    if owed:
        print(
            f"{owed} hand-offs are owed there: they are tried for about a day, should there be a destination "
            "of that name again, and are dead letters then"
        )


@app.command()
def check(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Only this destination.", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write a probe to each destination, read it and delete it.

    Exit code 1 if one of them would not take results.
    """
    from orchestrator import wiring
    from orchestrator.cli import catalogued
    from orchestrator.cli.findings import print_findings
    from orchestrator.cli.screen import print_json

    found = catalogued.probes(wiring.read_settings(quiet=True, data_dir=data_dir), name)
    print_json(found) if as_json else print_findings(found)
    if any(one.status == "fail" for one in found):
        raise typer.Exit(Exit.OTHERWISE)


@app.command()
def enable(name: Name, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Resume hand-offs to a destination at once.

    For one that is shut after failures, or that was disabled by answering 410.
    """
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.screen import print_json
    from orchestrator.engine import destinations as engine

    with opened(wiring.read_settings(quiet=True, data_dir=data_dir)) as context:
        engine.enable(context, name)
    told = f"{name} is enabled: what is owed to it is delivered"
    print_json({"destination": name, "enabled": True}) if as_json else print(told)


def _described(
    name: str, kind: str, options: list[str], secrets: list[str], given: dict[str, Any]
) -> tuple[DestinationSettings, dict[str, Any]]:
    """What is said of it, and its secrets."""
    from orchestrator import wiring
    from orchestrator.cli.destination_options import fitted, plain_options, secret_options
    from orchestrator.engine import configure
    from orchestrator.engine.destination_settings import require_name, split
    from orchestrator.sinks import kinds

    require_name(name)
    found = kinds.find(kind)
    meant = plain_options(found, options)
    meant |= secret_options(found, secrets, wiring.environment())
    plain, hidden = split(found, fitted(found.Options, meant))
    return configure.described(name, kind, {**given, "options": plain}, hidden), hidden


def _require_not_in_file(settings: Settings, name: str) -> None:
    from orchestrator import wiring
    from orchestrator.errors import NotAllowed

    if any(one.name == name for one in wiring.configured(settings).destinations):
        raise NotAllowed(
            f"the destination {name} is in {settings.destinations_file}",
            hint="change the file, and restart what runs",
        )


def _print(found: Any, as_json: bool) -> None:
    from orchestrator.cli.destinations_page import print_one
    from orchestrator.cli.screen import print_json

    print_json(found) if as_json else print_one(found)
