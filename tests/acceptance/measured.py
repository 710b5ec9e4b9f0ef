"""What a story cost: one line of JSON for the fault table, in the file that MEASURED_TO names."""

import json
import os
from pathlib import Path

from tests.acceptance.truth import Installation


def measured(story: str, *, jobs: int, lost: int, doubled: int, recovery: float | None, floor: float) -> None:
    """Keep the figures of a story; `floor` is what the recovery could not have been below. Seconds.

    There was no recovery where something was lost.
    """
    line = {
        "story": story,
        "jobs": jobs,
        "lost": lost,
        "doubled": doubled,
        "recovery_seconds": None if recovery is None else round(recovery, 2),
        "floor_seconds": round(floor, 2),
    }
    print(json.dumps(line))
    if to := os.environ.get("MEASURED_TO"):
        with Path(to).open("a") as file:  # one short write: stories side by side do not mix their lines
            file.write(json.dumps(line) + "\n")


def lost(installation: Installation, job_ids: list[str]) -> int:
    """How many of these jobs are not settled and handed off."""
    return len(installation.database.unfinished(job_ids))


def doubled(installation: Installation) -> int:
    """How many hand-offs were done more than once, as the processes told."""
    return sum(count > 1 for count in installation.handed_off().values())
