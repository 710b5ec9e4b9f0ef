"""Bugs about jobs that come to be."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from unittest.mock import patch

from orchestrator.core import lifecycle
from orchestrator.core.lifecycle import Seen, State, Step, Verdict
from orchestrator.engine import uncertain
from orchestrator.engine.context import Context
from orchestrator.gateway.snapshot import Snapshot
from orchestrator.simulation.invariants import Invariant
from orchestrator.store import events, jobs
from tests.simulation.planted.bug import bug


@contextmanager
def submitted_and_not_kept() -> Iterator[None]:
    """`submit` returns a job that it did not store."""
    with (
        patch.object(jobs, "add", lambda tx, new: None),
        patch.object(events, "append_first", lambda tx, new: None),
    ):
        yield


def lost_create_repeated() -> AbstractContextManager[object]:
    """A create whose answer was lost is simply done again."""
    again = Step(State.ACCEPTED, Verdict.MOVED)
    return patch.dict(lifecycle.STEPS, {(State.CREATING, Seen.LOST): again})


def resubmitted_without_a_search() -> AbstractContextManager[object]:
    """A list that is down counts as an empty one."""
    real = uncertain._strangers

    def strangers(context: Context, account: str, named: Sequence[str]) -> tuple[dict[str, Snapshot], bool]:
        return real(context, account, named)[0], True

    return patch.object(uncertain, "_strangers", strangers)


BUGS = (
    bug("a job is accepted and not stored", submitted_and_not_kept, Invariant.NOTHING_LOST),
    bug("lost create repeated", lost_create_repeated, Invariant.PAID_ONCE, seed=2),
    bug("resubmitted without a search", resubmitted_without_a_search, Invariant.PAID_ONCE, seed=8),
)
