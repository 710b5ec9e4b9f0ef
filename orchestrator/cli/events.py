"""What happens, as it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import AsJsonLines, DataDir, Url

if TYPE_CHECKING:
    from orchestrator.wire.events import Event


def events(
    name: Annotated[
        str | None,
        typer.Argument(metavar="JOB", help="A job. Default: all jobs of the tenant.", show_default=False),
    ] = None,
    tenant: Annotated[
        str, typer.Option(metavar="TENANT", help="The tenant, if no job is given.")
    ] = "default",
    url: Url = None,
    data_dir: DataDir = None,
    as_json: AsJsonLines = False,
) -> None:
    """Print the events of a job as they happen.

    From its first event until it is finished. Without a job: those of all the tenant's jobs, from now on.
    """
    from orchestrator.cli.reached import reached
    from orchestrator.cli.screen import print_json

    with reached(url, data_dir) as there:
        for event in there.events(None if name is None else there.find(name).id, tenant):
            print_json(event.model_dump(mode="json"), lines=True) if as_json else _print(event)


def _print(event: Event) -> None:
    from orchestrator.cli.screen import moment, text

    facts = [f"{name} {_word(value)}" for name, value in event.data.items() if value is not None]
    told = ", ".join([*([str(event.state)] if event.state else []), *facts])
    line = f"{moment(event.at.timestamp())}  {event.job_id}  {event.seq:>3}  {event.type:<12}  {text(told)}"
    print(line.rstrip(), flush=True)


def _word(value: Any) -> Any:
    """Of an error, what people read."""
    return value.get("message", value) if isinstance(value, dict) else value
