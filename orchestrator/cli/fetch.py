"""Outputs into files here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import AsJson, DataDir, JobName, Url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.cli.reached import Jobs
    from orchestrator.core.job import Output


def fetch(
    name: JobName,
    folder: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where the files go.")] = Path(),
    index: Annotated[
        int | None,
        typer.Option("--output", min=0, help="Only the output with this number.", show_default=False),
    ] = None,
    url: Url = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Save the outputs of a job as files, and print their paths.

    From the archive; each is complete and checked.
    """
    from orchestrator.cli.reached import reached
    from orchestrator.cli.screen import print_json, text
    from orchestrator.client.downloads import save

    folder.mkdir(parents=True, exist_ok=True)
    with reached(url, data_dir) as there:
        job_id = there.find(name).id
        paths = []
        for output in _wanted(there, job_id, index):
            paths.append(folder / _file_name(job_id, output))
            save(there.content(job_id, output), paths[-1])
            if not as_json:
                print(text(paths[-1]), flush=True)
    if as_json:
        print_json([str(path) for path in paths])


def _wanted(there: Jobs, job_id: str, index: int | None) -> Sequence[Output]:
    """Those that are meant. Raises NotFound where there are none."""
    from orchestrator.errors import NotFound

    found = [one for one in there.outputs(job_id) if index in (None, one.index) and not one.missing]
    if found and all(one.elsewhere for one in found):
        raise NotFound(
            f"the outputs of {job_id} are not kept here: only the gateway has them",
            hint="read them there with the account's key, by the gateway's id that `orchestrator show` tells",
        )
    if not found:
        which = "no outputs" if index is None else f"no output {index}"
        raise NotFound(f"{job_id} has {which} yet", hint="`orchestrator watch` shows when, or why not")
    return found


def _file_name(job_id: str, output: Output) -> str:
    from orchestrator.core.media import SUFFIXES

    suffix = SUFFIXES.get(output.mime_type or "", "bin")
    return f"{job_id}-{output.index}.{suffix}"
