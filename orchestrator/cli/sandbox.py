"""The sandbox gateway, and staging one event of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Annotated, Any

import typer

from orchestrator.cli.given import value_or_word
from orchestrator.sandbox.config import SandboxConfig

app = typer.Typer(rich_markup_mode=None)


def _fault(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--fault")
    return name, value_or_word(value, f"--fault {name}")


def _parameters() -> Iterator[inspect.Parameter]:
    """One option for every setting of the sandbox, with the line of documentation it has there."""
    for item in fields(SandboxConfig):
        if item.name == "faults":
            continue
        kind: Any = str | None if item.default is None else type(item.default)
        kind = float if item.name == "poll_after_seconds" else kind
        option = Annotated[kind, typer.Option(help=item.metadata["doc"])]
        yield inspect.Parameter(
            item.name, inspect.Parameter.KEYWORD_ONLY, default=item.default, annotation=option
        )


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    given = inspect.signature(command, eval_str=True).parameters.values()
    kept = [one for one in given if one.kind is not inspect.Parameter.VAR_KEYWORD]
    parameters = [*kept, *_parameters()]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


@_with_options
def serve(
    ctx: typer.Context,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="A switch, value in JSON; may be repeated.", show_default=False
        ),
    ] = None,
    **options: Any,
) -> None:
    """Run a pretend gateway, which needs no key and costs nothing.

    Point ORCHESTRATOR_GATEWAY_URL at the address it prints. GET /_sandbox/switches there lists every fault.
    """
    if ctx.invoked_subcommand is not None:
        return
    from orchestrator.sandbox.server import serve as run

    config = SandboxConfig(**options, faults=dict(_fault(one) for one in fault or ()))
    raise typer.Exit(run(config))


app.callback(invoke_without_command=True)(serve)


@app.command()
def trigger(
    event: Annotated[str, typer.Argument(metavar="EVENT", help="Such as video.failed.")],
    job: Annotated[str, typer.Argument(metavar="JOB", help="A job of the sandbox: its G-… id, or ours.")],
    url: Annotated[
        str | None,
        typer.Option(help="Base URL of the sandbox. [ORCHESTRATOR_GATEWAY_URL]", show_default=False),
    ] = None,
) -> None:
    """Make a running sandbox send a webhook of a job now.

    A terminal one ends the job that way.
    """
    from orchestrator import wiring
    from orchestrator.cli.screen import text
    from orchestrator.cli.staging import gateway_id_of, send_event
    from orchestrator.settings import GATEWAY

    settings = wiring.read_settings(quiet=True, gateway_url=url)
    if settings.gateway_url == GATEWAY:
        raise typer.BadParameter(
            "name the sandbox with --url or ORCHESTRATOR_GATEWAY_URL; the gateway itself takes no orders"
        )
    send_event(settings.gateway_url, gateway_id_of(settings, job), event)
    print(f"{text(event)} of {text(job)} is on its way")
