"""What becomes owed for a job, and to whom. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.core.job import HandOffKind, Job, OutputSeen, Owed
from orchestrator.core.routes import ARCHIVE, Outcome


def owed_completed(
    job: Job, outputs: tuple[OutputSeen, ...], now: float, *, keep_outputs: bool
) -> Iterator[Owed]:
    """What a completed job owes: its outputs, or where they are not kept only the word that it completed.

    A job that was accepted when they were is still brought whole to each destination that was promised files.
    """
    if keep_outputs or any(route.brings_files for route in job.destinations):
        return owed_outputs(job, outputs, now)
    return owed_outcome(job, Outcome.COMPLETED, now)


def owed_outputs(job: Job, outputs: tuple[OutputSeen, ...], now: float) -> Iterator[Owed]:
    """Each output, owed to the archive now, and to the destinations once the archive has it."""
    for output in outputs:
        yield owed_archive(job.id, output.index, now)
    for route in job.destinations:
        if route.brings_files:
            for output in outputs:
                yield _owed_output(job.id, HandOffKind.OUTPUT, route.destination, output.index, None)
    yield from owed_outcome(job, Outcome.COMPLETED, None)


def owed_outcome(job: Job, outcome: str, due_at: float | None) -> Iterator[Owed]:
    """How the job ended, owed to each destination that wants to know; files speak for themselves."""
    for route in job.destinations:
        if route.wants(outcome) and (route.link or outcome != Outcome.COMPLETED):
            key = f"{job.id}/{outcome}/{route.destination}"
            yield Owed(key, job.id, HandOffKind.OUTCOME, route.destination, due_at, outcome=outcome)


def owed_archive(job_id: str, index: int, due_at: float) -> Owed:
    """An output's way into the archive."""
    return _owed_output(job_id, HandOffKind.ARCHIVE, ARCHIVE, index, due_at)


def _owed_output(job_id: str, kind: HandOffKind, place: str, index: int, due_at: float | None) -> Owed:
    return Owed(f"{job_id}/{index}/{place}", job_id, kind, place, due_at, output_index=index)
