"""When to look again: never sooner than the gateway asks for, and above that when it is worth a request.

The floor is the gateway's `poll_after_seconds`, read again on every answer (20 s when it is absent,
as in the create answer); `Retry-After` only ever raises it, and so does jitter. Above the floor the moment is
chosen by what was learned (`learned.plan`); where nothing was, or it does not count, it is the floor.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.core.learned.paces import BY_GUIDANCE, Pace, Why
from orchestrator.core.learned.plan import Plan

GUIDANCE_WHEN_ABSENT = 20.0  # gateway contract 2.3: a literal 20, missing from the create answer
SHORTEST_GUIDANCE = 0.1  # a hint below it would have us ask without a pause
LONGEST_GUIDANCE = 3600.0  # a hint beyond an hour is a mistake of somebody's
JITTER_SHARE = 0.1  # of the floor, added, so that jobs submitted together drift apart
PLANNED_JITTER = (
    0.03  # of a planned spacing, to both sides: it hardly costs, and shows what lies beside the plan
)
ERROR_CEILING = 300.0
SEARCH_FOR_PERSON_EVERY = 60.0  # for what an uncertain create made, once a person was asked


@dataclass(frozen=True, slots=True)
class Guidance:
    """What the last answer said about looking again, in seconds; None where it said nothing."""

    poll_after: float | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The time of the next look, and why it is then."""

    at: float
    why: Why


def floor(guidance: Guidance, when_absent: float = GUIDANCE_WHEN_ABSENT) -> float:
    """The soonest moment the gateway wants to be asked again, in seconds after its last answer."""
    hint = guidance.poll_after if guidance.poll_after and guidance.poll_after > 0 else when_absent
    return min(max(hint, guidance.retry_after or 0.0, SHORTEST_GUIDANCE), LONGEST_GUIDANCE)


def kept_hint(guidance: Guidance) -> float | None:
    """What is kept of the guidance, so that whoever brings a look forward knows the floor."""
    if not guidance.retry_after:
        return guidance.poll_after
    return max(guidance.poll_after or GUIDANCE_WHEN_ABSENT, guidance.retry_after)


def spacing(guidance: Guidance, errors: int, when_absent: float = GUIDANCE_WHEN_ABSENT) -> float:
    """Seconds to the next look: the floor, doubled for every error in a row up to five minutes."""
    soonest = floor(guidance, when_absent)
    return max(soonest, min(soonest * 2.0 ** min(errors, 16), ERROR_CEILING))


def next_look(
    *,
    now: float,
    guidance: Guidance,
    deadline: float,
    jitter: float,
    errors: int = 0,
    when_absent: float = GUIDANCE_WHEN_ABSENT,
    age: float = 0.0,
    pace: Pace = BY_GUIDANCE,
) -> Choice:
    """When to look next at a job that was just seen running at an age. `jitter` is a random number in [0, 1).

    The last look of a job is placed at its deadline, or as soon after it as the floor allows.
    """
    soonest = floor(guidance, when_absent)
    # Followed closely, it begins anywhere between two looks of the others, so as to see what lies there.
    share = 1.0 if pace.why is Why.CLOSELY and not age else JITTER_SHARE
    wait, why = spacing(guidance, errors, when_absent) * (1.0 + share * jitter), pace.why
    if errors:
        why = Why.ERRORS
    elif pace.plan is not None:
        wait, why = _planned(pace, pace.plan, age, wait, jitter)
    last = max(deadline, now + soonest)
    return Choice(last, Why.DEADLINE) if now + wait >= last else Choice(now + wait, why)


def _planned(pace: Pace, plan: Plan, age: float, by_guidance: float, jitter: float) -> tuple[float, Why]:
    """Seconds to the look that a plan wants, and what bounds them."""
    longest = max(pace.longest, by_guidance)
    if pace.left_alone_until is not None and age < pace.left_alone_until:
        return min(max(pace.left_alone_until - age, by_guidance), longest), Why.LEFT_ALONE
    wanted = (plan.next_age(age) - age) * (1.0 + PLANNED_JITTER * (2.0 * jitter - 1.0))
    if wanted <= by_guidance:
        return by_guidance, Why.FLOOR
    return (longest, Why.LONGEST) if wanted >= longest else (wanted, Why.LEARNED)


def retry_in(attempt: int, *, first: float, ceiling: float, jitter: float) -> float:
    """Exponential backoff for attempt 1, 2, 3 …: `first`, doubling to `ceiling`, plus up to a quarter."""
    return min(first * 2.0 ** min(max(attempt, 1) - 1, 32), ceiling) * (1.0 + 0.25 * jitter)
