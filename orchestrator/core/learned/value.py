"""What a look at a job is worth at this moment, where more jobs are due than may be asked about.

    value = P(it has ended, and nobody heard) x seconds since it was last known to run

A job that is put off is taken to wait as long again as it has waited: that is the lag which goes on if it
has ended. By a plan, with E(t) the share of jobs that end by age t and U(t) the share that ended by t and was
not heard of, of a job seen running at age u

    P = X / (X + 1 - E(t)),   X = max( U(t) - U(u), lost x (E(t) - E(u)) )

X is the share that ended between u and t unheard: at least what is unheard now and was not then, and at least
those between whose webhook never comes. Without a plan, by the guidance, jobs are taken to end at any moment
alike, one in five within the floor (the mean of what was measured), so that P = w / (w + 4 x floor) after w
seconds. P never counts as less than a thousandth: the value grows with waiting, so nobody waits for ever.
"""

from __future__ import annotations

from bisect import bisect_right
from math import inf

from orchestrator.core.learned.plan import Plan

LEAST = 1e-3  # the least that P counts
FLOORS = 4.0  # of waiting after which a job of which nothing is known is as likely to have ended as not


def value_of(
    *, age: float, seen_running_at: float, floor: float, plan: Plan | None, last_chance: bool = False
) -> float:
    """Seconds of lag that a look now is expected to save; ages in seconds.

    `last_chance` is for a job at its deadline, which comes before all others.
    """
    if last_chance:
        return inf
    waited = max(age - seen_running_at, 0.0)
    by_guidance = waited / (waited + FLOORS * floor)
    chance = by_guidance if plan is None else ended_unheard(plan, seen_running_at, age, by_guidance)
    return max(chance, LEAST) * waited


def ended_unheard(plan: Plan, seen_running_at: float, age: float, otherwise: float) -> float:
    """The chance that a job seen running at an age has ended by another one and was not heard of.

    `otherwise` is taken where the plan knows of no job that runs so long.
    """
    lost = 1.0 if plan.lost is None else plan.lost
    ended, unheard = _at(plan, plan.ended, age), _at(plan, plan.unheard, age)
    ended_then, unheard_then = (
        _at(plan, plan.ended, seen_running_at),
        _at(plan, plan.unheard, seen_running_at),
    )
    between = max(unheard - unheard_then, lost * (ended - ended_then), 0.0)
    possible = between + 1.0 - ended
    return between / possible if possible > 1e-9 else otherwise


def _at(plan: Plan, values: tuple[float, ...], age: float) -> float:
    """A value of the plan at an age, in a straight line between its ages."""
    after = bisect_right(plan.ages, age)
    if after == 0:
        return values[0]
    if after == len(plan.ages):
        return values[-1]
    low, high = plan.ages[after - 1], plan.ages[after]
    return values[after - 1] + (values[after] - values[after - 1]) * (age - low) / (high - low)
