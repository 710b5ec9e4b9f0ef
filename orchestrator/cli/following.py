"""Looking again and again where jobs stand, until they are over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event
from typing import TYPE_CHECKING

from orchestrator.engine import standing
from orchestrator.engine.standing import Standing
from orchestrator.store.database import Store

if TYPE_CHECKING:
    from orchestrator.cli.progress import Display

EVERY = 0.1  # seconds

Look = Callable[[Sequence[str]], Sequence[Standing]]


def in_database(store: Store) -> Look:
    """Looks there."""

    def look(job_ids: Sequence[str]) -> list[Standing]:
        with store.read() as tx:
            return standing.read(tx, job_ids)

    return look


def follow(look: Look, job_ids: Sequence[str], display: Display, every: float = EVERY) -> list[Standing]:
    """Show jobs until each is over, looking every so many seconds. Returns where they stand then."""
    found: dict[str, Standing] = {}
    pause = Event()
    while True:
        going = [job_id for job_id in job_ids if job_id not in found or not found[job_id].over]
        found |= {one.job.id: one for one in look(going)}
        standings = [found[job_id] for job_id in job_ids]
        display.show(standings)
        if all(one.over for one in standings):
            return standings
        pause.wait(every)
