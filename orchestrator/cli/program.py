"""The program: all commands in the order in which a newcomer meets them."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from orchestrator import __version__
from orchestrator.cli import checking, deciding, inbox, jobs, sandbox, serving, show, submit, trying, watch
from orchestrator.cli.exits import Exit, code_of, explain
from orchestrator.errors import OrchestratorError


class Program(TyperGroup):
    """Turns errors meant for people into a sentence and an exit code; others are bugs and shown whole."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except OrchestratorError as error:
            explain(error)
            raise typer.Exit(code_of(error)) from None
        except KeyboardInterrupt:
            raise typer.Exit(Exit.INTERRUPTED) from None

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of registration."""
        return list(self.commands)


# Pretty exceptions would print the values of variables, and keys among them.
app = typer.Typer(
    name="orchestrator",
    cls=Program,
    help="Makes videos through the Phaseo gateway and hands each result to where it is needed, once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
    submit.submit,
    watch.watch,
    jobs.jobs,
    show.show,
    inbox.inbox,
    inbox.replay,
    deciding.resolve,
    deciding.cancel,
    checking.check,
    serving.migrate,
):
    app.command()(command)
app.add_typer(sandbox.app, name="sandbox")
