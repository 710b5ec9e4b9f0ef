"""What the gateway says that its contract does not foresee."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import AsJson, DataDir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.store.drift import Known

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="What is new in the gateway's answers and webhooks.",
)


@app.command("list")
def list_all(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List what is new at the gateway, the latest first.

    Every word, field, header and hint that its documentation does not mention. None is an error: each was
    used as far as it was understood.
    """
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.screen import print_json
    from orchestrator.store import drift

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    with opened(settings) as context, context.store.read() as tx:
        found, now = drift.every(tx), tx.now
    print_json(found) if as_json else _print(found, now)


@app.command()
def forget(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="As `list` has it.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Everything that was seen.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Forget what you have read. If seen again, it is listed again."""
    if (name is None) is not every:
        raise typer.BadParameter("give one NAME, or --all")
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.screen import print_json
    from orchestrator.store import drift

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    with opened(settings) as context, context.store.write() as tx:
        count = drift.forget(tx, name=name)
    print_json({"forgotten": count}) if as_json else print(f"forgotten: {count}")


def _print(found: Sequence[Known], now: float) -> None:
    from orchestrator.cli.screen import ago, print_table

    if not found:
        print("everything that the gateway said was as its contract has it")
        return
    rows = [
        (
            one.kind,
            one.place,
            one.times,
            ago(now - one.first_at),
            ago(now - one.last_at),
            one.name,
            one.sample,
            one.request_id,
        )
        for one in found
    ]
    columns = ("kind", "where", "times", "first", "last", "name", "value", "request")
    print_table(columns, rows, right=("times", "first", "last"), fold=True)
