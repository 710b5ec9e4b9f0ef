"""The program: its commands, in the order in which a newcomer meets them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from functools import cache
from importlib import import_module
from typing import Annotated, Any, cast

import typer
import typer.main
from typer.core import TyperGroup

from orchestrator import __version__
from orchestrator.cli.exits import Exit, code_of
from orchestrator.cli.exits import explain as explain_error
from orchestrator.cli.streams import ReaderLeft, standard_streams
from orchestrator.errors import OrchestratorError, RequestError

# Under headings, so that a newcomer sees where to begin; each with its module, and what it is in it.
SECTIONS = {
    "Begin here": {
        "demo": "trying.demo",
        "run": "trying.run",
        "sandbox": "sandbox.app",
    },
    "Run it": {
        "up": "serving.up",
        "web": "serving.web",
        "worker": "serving.worker",
        "beat": "serving.beat",
        "migrate": "serving.migrate",
        "check": "checking.check",
    },
    "Jobs": {
        "submit": "submit.submit",
        "watch": "watch.watch",
        "events": "events.events",
        "jobs": "jobs.jobs",
        "show": "show.show",
        "explain": "explain.explain",
        "fetch": "fetch.fetch",
        "cancel": "deciding.cancel",
        "retry": "deciding.retry",
        "resolve": "deciding.resolve",
    },
    "What comes in": {
        "inbox": "inbox.inbox",
        "webhooks": "webhooks.app",
        "hooks": "hooks.app",
        "drift": "drift.app",
    },
    "What goes out": {
        "destinations": "destinations.app",
        "dead-letters": "dead_letters.dead_letters",
        "replay": "replay.replay",
        "purge": "purge.purge",
    },
    "Who may do what": {
        "tenants": "tenants.app",
        "keys": "keys.app",
        "tokens": "tokens.app",
        "accounts": "accounts.app",
        "secrets": "secrets.app",
    },
    "What it costs, and whether it holds": {
        "plan": "plan.plan",
        "ledger": "ledger.ledger",
        "simulate": "simulate.simulate",
    },
}


class Commands(Mapping[str, Any]):
    """All of them by name. Each is made when it is asked for: making all takes longer than many a command."""

    def __init__(self) -> None:
        self._places = {name: place for section in SECTIONS.values() for name, place in section.items()}

    def __getitem__(self, name: str) -> Any:
        return _made(name, self._places[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@cache
def _made(name: str, place: str) -> Any:
    module, _, attribute = place.partition(".")
    found = getattr(import_module(f"orchestrator.cli.{module}"), attribute)
    alone = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name)
    else:
        alone.command()(found)
    return typer.main.get_group(alone).commands[name]


class Program(TyperGroup):
    """Turns errors meant for people into a sentence and an exit code; others are bugs and shown whole."""

    def main(self, *args: Any, **more: Any) -> Any:
        """Run the program, to the last word it prints."""
        with standard_streams():
            try:
                _require_text(sys.argv[1:])
                try:
                    return super().main(*args, **more)
                finally:
                    sys.stdout.flush()  # here, where a failure can still be told
            except ReaderLeft:
                sys.exit(Exit.OTHERWISE)
            except OrchestratorError as error:
                explain_error(error)
                sys.exit(code_of(error))

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stopped:
            for note in getattr(stopped, "__notes__", ()):
                sys.stderr.write(f"stopped: {note}\n")
            raise typer.Exit(Exit.INTERRUPTED) from None

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the sections; none of them is made for it."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Under headings, so that a newcomer sees where to begin."""
        width = formatter.width - 6 - max(map(len, self.commands))
        for heading, names in SECTIONS.items():
            rows = [(name, self.commands[name].get_short_help_str(width)) for name in names]
            with formatter.section(heading):
                formatter.write_dl(rows)


# Pretty exceptions would print the values of variables, and keys among them.
app = typer.Typer(
    name="orchestrator",
    cls=Program,
    help="Makes videos through the Phaseo gateway and delivers each result to where you need it, once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _require_text(arguments: Sequence[str]) -> None:
    """Refuse bytes that are no UTF-8: nothing could keep them, ask for them or send them."""
    for one in arguments:
        try:
            one.encode()
        except UnicodeEncodeError:
            readable = one.encode(errors="surrogateescape").decode(errors="backslashreplace")
            raise RequestError(
                f"the argument {readable} is not UTF-8", hint="give every argument as text in UTF-8"
            ) from None


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"orchestrator {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


command_line = typer.main.get_group(app)
command_line.commands = cast("MutableMapping[str, Any]", Commands())
