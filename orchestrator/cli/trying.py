"""Trying it: the demo, and one job from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.exits import Exit, stop_on_sigterm
from orchestrator.cli.options import AsJsonLines
from orchestrator.cli.submit import Fields, Model, Prompt


def demo(
    out: Annotated[
        Path, typer.Option(help="Folder for the results; emptied first if an earlier demo made it.")
    ] = Path("demo-output"),
    keep: Annotated[bool, typer.Option("--keep", help="Keep the database and the logs.")] = False,
    case: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this case; may be repeated.", show_default=False),
    ] = None,
    deadline: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="When to give up.")] = 90,
    as_json: AsJsonLines = False,
) -> None:
    """See it work, without a key or a server.

    Starts a sandbox gateway and an orchestrator, submits a job for each way in which a result can arrive, and
    checks that each ends as it must, by the path it must. Exit code 0 only if all do. Takes about half a
    minute, because the gateway asks clients to wait 20 seconds between looks.
    """
    from orchestrator import wiring
    from orchestrator.cli.demo_page import print_verdicts
    from orchestrator.cli.progress import display
    from orchestrator.demo.play import choose, follow, submit_all
    from orchestrator.demo.stage import stage

    cases = choose(case or [])
    stop_on_sigterm()
    with stage(out, keep=keep) as on:
        store = wiring.open_store(on.settings)
        with display(as_json=as_json, clock=wiring.monotonic) as shown:
            jobs = submit_all(on, store, cases)
            shown.names = {job_id: one.title for job_id, one in jobs.items()}
            verdicts = follow(on, store, jobs, shown.show, deadline)
        store.close()
    print_verdicts(verdicts, as_json=as_json)
    if any(one.problems for one in verdicts):
        raise typer.Exit(Exit.OTHERWISE)


def run(
    prompt: Prompt = None,
    model: Model = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the result. [ORCHESTRATOR_OUTPUT_DIR]", show_default=False)
    ] = None,
    fields: Fields = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder for the database. [ORCHESTRATOR_DATA_DIR]", show_default=False)
    ] = None,
    as_json: AsJsonLines = False,
) -> None:
    """Make one video and print the path of the file.

    Where outputs are not kept, that is the path of the document that says where the gateway has the video.

    Needs the gateway's API key in ORCHESTRATOR_GATEWAY_API_KEY or PHASEO_API_KEY. Ctrl-C does not lose the
    job: `orchestrator up` continues it.
    """
    from orchestrator import wiring
    from orchestrator.cli.one_job import make
    from orchestrator.cli.submit import whole_request

    request = whole_request(None, prompt, model, fields)
    settings = wiring.read_settings(quiet=True, output_dir=out, data_dir=data_dir)
    stop_on_sigterm()
    if not make(settings, request, as_json=as_json):
        raise typer.Exit(Exit.OTHERWISE)
