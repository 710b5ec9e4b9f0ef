"""Bugs about when the gateway is asked."""

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from orchestrator.core import cadence, effects
from orchestrator.core.cadence import Choice
from orchestrator.core.job import Job, Observation
from orchestrator.core.learned.paces import Why
from orchestrator.gateway import error_answers, vocabulary
from orchestrator.simulation.invariants import Invariant
from orchestrator.store.open_jobs import Running
from tests.simulation.planted.bug import bug


def floor_ignored() -> AbstractContextManager[object]:
    """The next look comes when we like."""
    return patch.object(cadence, "next_look", lambda *, now, **_: Choice(now + 3.0, Why.NO_DATA))


def floor_of_a_second() -> AbstractContextManager[object]:
    """The guidance is read, and not followed."""
    return patch.object(cadence, "floor", lambda *_: 1.0)


def first_look_at_once() -> AbstractContextManager[object]:
    """Who has just created a job looks at it."""
    real = effects._waits

    def waits(job: Job, seen: Observation, *others: Any) -> dict[str, Any]:
        changes = real(job, seen, *others)
        return changes | {"due_at": changes["created_at"] + 0.2}

    return patch.object(effects, "_waits", waits)


def hint_dropped() -> AbstractContextManager[object]:
    """`poll_after_seconds` is not read."""
    return patch.object(vocabulary, "poll_after", lambda value: None)


def retry_after_dropped() -> AbstractContextManager[object]:
    """`Retry-After` is not read."""
    return patch.object(error_answers, "retry_after", lambda headers: None)


def brought_forward_below_the_floor() -> AbstractContextManager[object]:
    """Where webhooks stopped, jobs are looked at as if the gateway had asked for no patience."""
    return patch.object(Running, "floor", lambda *_: 0.0)


def retry_after_forgotten() -> AbstractContextManager[object]:
    """`Retry-After` beside a status is heeded once, and not kept for whoever brings a look forward."""
    return patch.object(cadence, "kept_hint", lambda guidance: guidance.poll_after)


BUGS = (
    bug("floor ignored", floor_ignored, Invariant.FLOOR),
    bug("a floor of one second", floor_of_a_second, Invariant.FLOOR),
    bug("the first look at once", first_look_at_once, Invariant.FLOOR),
    bug("poll_after_seconds dropped", hint_dropped, Invariant.FLOOR, seed=21),
    bug("Retry-After dropped", retry_after_dropped, Invariant.FLOOR, seed=163),
    bug("Retry-After not kept", retry_after_forgotten, Invariant.FLOOR, seed=4_470),
    bug("brought forward below the floor", brought_forward_below_the_floor, Invariant.FLOOR, seed=100),
)
