"""What others would have done with the same jobs: the guidance, fixed nets, and who knows the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestrator.core.learned.induction import plan
from tests.benchmarks.cadence.worlds import HINT, Fate, World

NextAge = Callable[[float, float], float]  # of the age last seen running, and luck


def by_guidance(age: float, luck: float) -> float:
    """Every twenty seconds, and up to two later, as the real workers do."""
    return age + HINT * (1.0 + 0.1 * luck)


def by_net(seconds: float) -> NextAge:
    """A safety net of so many seconds."""
    return lambda age, _: age + seconds


def by_truth(world: World, worth: float, longest: float) -> NextAge:
    """The induction over the true distributions."""
    made = plan(world.shape.on_grid(), world.truth(), floor=HINT, request_seconds=worth, longest=longest)
    return lambda age, _: max(made.next_age(age), age + HINT)


def follow(fates: Sequence[Fate], next_age: NextAge) -> list[tuple[int, float]]:
    """Requests and lag of each job."""
    return [_one(fate, next_age) for fate in fates]


def _one(fate: Fate, next_age: NextAge) -> tuple[int, float]:
    age, requests = 0.0, 0
    while True:
        look = next_age(age, fate.luck[requests % len(fate.luck)])
        if fate.hook is not None and fate.hook <= look:
            return requests, fate.hook - fate.ends
        requests += 1
        if look >= fate.ends:
            return requests, look - fate.ends
        age = look
