"""Bugs about what is handed off."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock, patch

from orchestrator.core import effects
from orchestrator.core.effects import Effect
from orchestrator.core.job import Job, Observation, OutputSeen, Owed
from orchestrator.core.lifecycle import Seen, State
from orchestrator.core.owed import owed_completed, owed_outcome, owed_outputs
from orchestrator.engine import fetching, resolve
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.simulation.invariants import Invariant
from orchestrator.store import jobs
from tests.simulation.planted.bug import bug


def some_outcomes_never_owed() -> AbstractContextManager[object]:
    """Nobody downstream is told of a job that was rejected or timed out."""

    def owed(job: Job, outcome: str, due_at: float | None) -> Iterator[Owed]:
        return (
            iter(()) if outcome in (State.REJECTED, State.TIMED_OUT) else owed_outcome(job, outcome, due_at)
        )

    return patch.object(effects, "owed_outcome", owed)


def owed_anew() -> AbstractContextManager[object]:
    """Each time that a job is seen completed its output is owed, under a key that is made anew."""
    real = effects.effect_of

    def effect_of(job: Job, seen: Observation, **given: Any) -> Effect:
        effect = real(job, seen, **given)
        wanted = not (job.detail_tries or job.cancel_requested_at)
        if job.state is not State.COMPLETED or seen.seen is not Seen.COMPLETED or not wanted:
            return effect
        again = owed_outputs(job, (OutputSeen(0),), given["now"])
        return replace(effect, owed=tuple(replace(one, key=f"{one.key}/{job.next_seq}") for one in again))

    return patch.object(effects, "effect_of", effect_of)


def half_a_video_is_whole() -> AbstractContextManager[object]:
    """Nobody checks where an MP4 ends."""
    return patch.object(fetching, "BoxWalk", Mock)


def cancel_ignored() -> AbstractContextManager[object]:
    """The caller is told that a job is cancelled, and nothing is done."""

    def cancel(context: Context, job_id: str) -> tuple[Job, list[FollowUp]]:
        with context.store.read() as tx:
            return jobs.require(tx, job_id), []

    return patch.object(resolve, "cancel", cancel)


def cancel_withdraws_nothing() -> AbstractContextManager[object]:
    """It is noted that a job is cancelled, and what is owed for it stays owed."""
    return patch.object(resolve, "hand_offs", SimpleNamespace(withdraw=lambda tx, job_id: []))


def fetched_all_the_same() -> AbstractContextManager[object]:
    """Outputs are fetched although they are not kept."""

    def owed(*given: Any, keep_outputs: bool) -> Iterator[Owed]:
        return owed_completed(*given, keep_outputs=True)

    return patch.object(effects, "owed_completed", owed)


BUGS = (
    bug("fetched although not kept", fetched_all_the_same, Invariant.KEPT_AS_SET, seed=15),
    bug("some outcomes never owed", some_outcomes_never_owed, Invariant.ENDS, seed=7),
    bug("an end seen again is owed again", owed_anew, Invariant.ONE_HAND_OFF, seed=2),
    bug("half a video is whole", half_a_video_is_whole, Invariant.ONE_EFFECT, seed=30),
    bug("cancel ignored", cancel_ignored, Invariant.ONE_EFFECT, seed=2),
    bug("cancel withdraws nothing", cancel_withdraws_nothing, Invariant.ONE_EFFECT, seed=65),
)
