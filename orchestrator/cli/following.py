"""Looking at the database again and again until jobs are over."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

from orchestrator.cli.progress import Display
from orchestrator.engine import standing
from orchestrator.engine.standing import Standing
from orchestrator.store.database import Store

EVERY = 0.1  # seconds


def follow(store: Store, job_ids: Sequence[str], display: Display) -> list[Standing]:
    """Show jobs until each is over. Returns where they stand then. Raises NotFound."""
    found: dict[str, Standing] = {}
    pause = Event()
    while True:
        going = [job_id for job_id in job_ids if job_id not in found or not found[job_id].over]
        with store.read() as tx:
            found |= {one.job.id: one for one in standing.read(tx, going)}
        standings = [found[job_id] for job_id in job_ids]
        display.show(standings)
        if all(one.over for one in standings):
            return standings
        pause.wait(EVERY)
