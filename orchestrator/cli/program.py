"""The program: all commands in the order in which a newcomer meets them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperGroup

from orchestrator import __version__
from orchestrator.cli import (
    accounts,
    checking,
    dead_letters,
    deciding,
    destinations,
    drift,
    events,
    explain,
    fetch,
    hooks,
    inbox,
    jobs,
    keys,
    ledger,
    plan,
    purge,
    replay,
    sandbox,
    secrets,
    serving,
    show,
    simulate,
    submit,
    tenants,
    tokens,
    trying,
    watch,
    webhooks,
)
from orchestrator.cli.exits import Exit, code_of
from orchestrator.cli.exits import explain as explain_error
from orchestrator.cli.streams import ReaderLeft, standard_streams
from orchestrator.errors import OrchestratorError, RequestError


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
        """In the order of registration."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Under headings, so that a newcomer sees where to begin."""
        width = formatter.width - 6 - max(map(len, self.commands))
        for heading, names in SECTIONS.items():
            rows = [(name, self.commands[name].get_short_help_str(width)) for name in names]
            with formatter.section(heading):
                formatter.write_dl(rows)


SECTIONS = {
    "Begin here": ("demo", "run", "sandbox"),
    "Run it": ("up", "web", "worker", "beat", "migrate", "check"),
    "Jobs": ("submit", "watch", "events", "jobs", "show", "explain", "fetch", "cancel", "retry", "resolve"),
    "What comes in": ("inbox", "webhooks", "hooks", "drift"),
    "What goes out": ("destinations", "dead-letters", "replay", "purge"),
    "Who may do what": ("tenants", "keys", "tokens", "accounts", "secrets"),
    "What it costs, and whether it holds": ("plan", "ledger", "simulate"),
}

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


for command in (
    trying.demo,
    trying.run,
    serving.up,
    serving.web,
    serving.worker,
    serving.beat,
    submit.submit,
    watch.watch,
    events.events,
    jobs.jobs,
    show.show,
    explain.explain,
    fetch.fetch,
    inbox.inbox,
    replay.replay,
    dead_letters.dead_letters,
    purge.purge,
    deciding.resolve,
    deciding.cancel,
    deciding.retry,
    plan.plan,
    ledger.ledger,
    checking.check,
    serving.migrate,
    simulate.simulate,
):
    app.command()(command)
app.add_typer(destinations.app, name="destinations")
app.add_typer(tenants.app, name="tenants")
app.add_typer(keys.app, name="keys")
app.add_typer(tokens.app, name="tokens")
app.add_typer(accounts.app, name="accounts")
app.add_typer(secrets.app, name="secrets")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(hooks.app, name="hooks")
app.add_typer(drift.app, name="drift")
app.add_typer(sandbox.app, name="sandbox")

# Made once, not at each call as typer does: it takes longer than many a command.
command_line = typer.main.get_command(app)
