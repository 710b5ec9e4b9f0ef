"""Which path told the end of a job first, and by how much the other one came later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.core.job import Job, Source
from orchestrator.core.lifecycle import SETTLED, Seen
from orchestrator.store.observations import Recorded

HOOK, LOOK = "webhook", "look"
_PATHS = {Source.WEBHOOK: HOOK, Source.POLL: LOOK, Source.LIST: LOOK}
_ENDS = frozenset(
    {
        Seen.COMPLETED,
        Seen.FAILED_LIVE,
        Seen.CANCELLED_LIVE,
        Seen.EXPIRED_LIVE,
        Seen.FAILED_STORED,
        Seen.CANCELLED_STORED,
        Seen.EXPIRED_STORED,
    }
)


@dataclass(frozen=True, slots=True)
class Race:
    """How the end became known. `other` is the path that told it second, or is still to; `lead` in seconds.

    `lead` None: the other path has not told it. Below 0: it told the end before, and only counted for itself.
    `age` is how old the job was, since the gateway has it; None where it never had it.
    """

    winner: Source
    other: str | None
    lead: float | None
    age: float | None


def race(job: Job, timeline: Sequence[Recorded]) -> Race | None:
    """None while nobody won."""
    if job.state not in SETTLED or job.won_by is None or job.settled_at is None:
        return None
    age = None if job.created_at is None else job.settled_at - job.created_at
    winner = _PATHS.get(job.won_by)
    other = LOOK if winner == HOOK else HOOK
    if winner is None and job.channel is None:
        return Race(job.won_by, None, None, age)
    told = _told_at(job, timeline, other)
    return Race(job.won_by, other, None if told is None else told - job.settled_at, age)


def _told_at(job: Job, timeline: Sequence[Recorded], path: str) -> float | None:
    """When this path first told the end; looks that raised no more than a suspicion tell it too."""
    told = [one.at for one in timeline if _PATHS.get(one.source) == path and one.seen in _ENDS]
    if path == HOOK and job.hook_at is not None:
        told.append(job.hook_at)
    return min(told, default=None)
