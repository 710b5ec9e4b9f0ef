"""Keeping jobs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.given import json_object, require_shallow, value_or_word
from orchestrator.cli.options import AsJson, DataDir, Url, one_of
from orchestrator.core.job import Updates
from orchestrator.core.routes import Outcome
from orchestrator.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.cli.reached import Kept

Prompt = Annotated[
    str | None, typer.Argument(metavar="PROMPT", help="What the video shows.", show_default=False)
]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Such as google/veo-3.1-lite.", show_default=False),
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Another field of the request, in JSON or as a word: duration=8. Dots lead inside: "
        "provider_params.seed=7.",
        show_default=False,
    ),
]


def submit(
    prompt: Prompt = None,
    model: Model = None,
    fields: Fields = None,
    request: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-|JSON",
            help="The complete gateway request: a file, standard input, or JSON.",
            show_default=False,
        ),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Your own name for the job.", show_default=False)
    ] = None,
    end_user: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Who it is for: your own id of an end user.", show_default=False),
    ] = None,
    account: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The tenant's gateway account to use. Default: its oldest.",
            show_default=False,
        ),
    ] = None,
    metadata: Annotated[
        str, typer.Option(metavar="JSON", help="An object that comes back with the results.")
    ] = "{}",
    updates: Annotated[
        Updates | None,
        typer.Option(
            help="hybrid: webhooks and looks; poll: looks only; shadow: looks only, while webhooks are "
            "scored. [ORCHESTRATOR_UPDATES]",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="NAME[:links]",
            help="A destination, and whether it gets links instead of files; may be repeated. Without: those "
            "that are the default.",
            show_default=False,
        ),
    ] = None,
    on: Annotated[
        list[Outcome] | None,
        typer.Option(
            "--on",
            metavar="OUTCOME",
            help="With --to: only this outcome, instead of what each destination is configured for; may be "
            f"repeated. {one_of(Outcome)}",
            show_default=False,
        ),
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="When to give up waiting. [ORCHESTRATOR_DEADLINE_SECONDS]",
            show_default=False,
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many such jobs.")] = 1,
    url: Url = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Submit a job, and print its id.

    From then on it cannot be lost. A running `orchestrator up` starts on it at once; otherwise the next one
    does.
    """
    from orchestrator.cli.reached import Wanted, reached
    from orchestrator.cli.streams import OutputLost

    require_routes(to or (), on or ())
    wanted = Wanted(
        request=whole_request(request, prompt, model, fields),
        reference=reference,
        end_user=end_user,
        account=account,
        metadata=json_object(metadata, "--metadata"),
        updates=updates,
        to=to or (),
        on=on or (),
        deadline=deadline,
    )
    with reached(url, data_dir, create=True) as there:
        kept = there.keep(wanted, count)
    try:
        print_kept(kept, as_json=as_json)
    except OutputLost as error:
        ids = ", ".join(job.id for job in kept)
        raise OutputLost(
            f"{error.message}, but the submission was kept: {ids}",
            hint="do not submit again: `orchestrator watch` and `show` tell of what was kept",
        ) from error


def print_kept(kept: Sequence[Kept], *, as_json: bool) -> None:
    """The ids of jobs that were kept, for people and for shells."""
    if as_json:
        from orchestrator.cli.screen import print_json

        print_json([job.document for job in kept])
    else:
        print("\n".join(job.id for job in kept), flush=True)


def require_routes(to: Sequence[str], on: Sequence[Outcome]) -> None:
    """Raise RequestError unless each is NAME, NAME:links or NAME:files."""
    if on and not to:
        raise RequestError("--on goes with --to", hint="name the destinations that are meant")
    for named in to:
        _, found, how = named.partition(":")
        if found and how not in ("links", "files"):
            raise RequestError(f"--to {named} is not NAME or NAME:links", hint="such as --to hook:links")


def whole_request(
    verbatim: str | None, prompt: str | None, model: str | None, fields: list[str] | None
) -> dict[str, Any]:
    """The gateway request, either as it was given or put together from its parts. Raises RequestError."""
    if verbatim is not None:
        if prompt or model or fields:
            raise RequestError(
                "--request is the whole request", hint="leave out the prompt, --model and --set"
            )
        return json_object(_read(verbatim), "--request")
    if not prompt or not model:
        missing = "prompt" if not prompt else "--model"
        raise RequestError(
            f"there is no {missing}", hint='orchestrator submit "a red fox" --model google/veo-3.1-lite'
        )
    made: dict[str, Any] = {"model": model, "prompt": prompt}
    for one in fields or ():
        _put(made, one)
    require_shallow(made, "--set")
    return made


def _put(made: dict[str, Any], assignment: str) -> None:
    name, found, value = assignment.partition("=")
    *outer, last = name.split(".")
    if not found or not last or not all(outer):
        raise RequestError(f"--set {assignment} is not NAME=VALUE", hint="such as --set duration=8")
    inside = made
    for step in outer:
        inside = inside.setdefault(step, {})
        if not isinstance(inside, dict):
            raise RequestError(f"--set {assignment}: {step} is no object")
    inside[last] = value_or_word(value, f"--set {name}")


def _read(given: str) -> str:
    if given.lstrip().startswith("{"):
        return given
    try:
        if given == "-":
            return sys.stdin.read()
        return Path(given).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"--request {given} cannot be read: {error}") from error
