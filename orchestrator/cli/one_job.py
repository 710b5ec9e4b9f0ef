"""`run`: an orchestrator for one job, in this process."""

from __future__ import annotations

import sys
from typing import Any

from orchestrator import wiring
from orchestrator.cli.following import follow, in_database
from orchestrator.cli.job_page import as_document
from orchestrator.cli.progress import display
from orchestrator.cli.screen import print_json, text
from orchestrator.cli.streams import OutputLost
from orchestrator.cli.words import WAYS_OUT, doing
from orchestrator.engine import blaming
from orchestrator.engine.standing import Standing
from orchestrator.engine.submit import Submission, submit
from orchestrator.processes.embedded import Running, running
from orchestrator.processes.up import receiving
from orchestrator.settings import Settings
from orchestrator.store import attempts, observations


def make(settings: Settings, request: dict[str, Any], *, as_json: bool) -> bool:
    """Make one video and show how it goes. Returns whether it is there."""
    with (receiving if settings.webhook_endpoint_id else running)(settings) as orchestrator:
        ended = _follow(orchestrator, request, as_json=as_json)
        if as_json:
            with orchestrator.context.store.read() as tx:
                timeline, tries = observations.of_job(tx, ended.job.id), attempts.of_job(tx, ended.job.id)
                wrong = blaming.of_job(tx, ended.job)
            print_json(as_document(ended, timeline, tries, wrong, raw=False), lines=True)
        else:
            _tell(ended)
    return ended.well


def _follow(orchestrator: Running, request: dict[str, Any], *, as_json: bool) -> Standing:
    jobs, follow_ups = submit(orchestrator.context, [Submission(request)])
    orchestrator.send(follow_ups)
    job = jobs[0]
    try:
        with display(as_json=as_json, clock=wiring.monotonic) as shown:
            return follow(in_database(orchestrator.context.store), [job.id], shown)[0]
    except (KeyboardInterrupt, OutputLost):
        sys.stderr.write(
            f"\n{job.id} is kept.\n`orchestrator up` continues it; `watch` and `show` tell of it.\n"
        )
        raise


def _tell(ended: Standing) -> None:
    for one in ended.deliveries:
        if one.location:
            print(text(one.location))
    job = ended.job
    if not ended.well:
        asked = f" (gateway request {text(job.request_id)})" if job.request_id else ""
        sys.stderr.write(f"{job.id} is {job.state}: {doing(ended)}{asked}\n")
    if job.needs_person:
        for option, meaning in WAYS_OUT:
            sys.stderr.write(f"  orchestrator resolve {job.id} {option}\n      {meaning}\n")
