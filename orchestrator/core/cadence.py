"""When to look again, at the floor: never sooner than the gateway asked for.

The floor is the gateway's `poll_after_seconds`, read again on every answer (20 s when it is absent,
as in the create answer); `Retry-After` only ever raises it, and so does jitter. What is learned
about when jobs end will choose a moment above this floor; it belongs in this file, behind
`next_look`, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

GUIDANCE_WHEN_ABSENT = 20.0  # gateway contract 2.3: a literal 20, missing from the create answer
SHORTEST_GUIDANCE = 0.1  # a hint below it would have us ask without a pause
LONGEST_GUIDANCE = 3600.0  # a hint beyond an hour is a mistake of somebody's
JITTER_SHARE = 0.1  # of the spacing, added, so that jobs submitted together drift apart
ERROR_CEILING = 300.0


@dataclass(frozen=True, slots=True)
class Guidance:
    """What the last answer said about looking again, in seconds; None where it said nothing."""

    poll_after: float | None = None
    retry_after: float | None = None


def floor(guidance: Guidance, when_absent: float = GUIDANCE_WHEN_ABSENT) -> float:
    """The soonest moment the gateway wants to be asked again, in seconds after its last answer."""
    hint = guidance.poll_after if guidance.poll_after and guidance.poll_after > 0 else when_absent
    return min(max(hint, guidance.retry_after or 0.0, SHORTEST_GUIDANCE), LONGEST_GUIDANCE)


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
) -> float:
    """The time of the next look. `jitter` is a random number in [0, 1).

    The last look of a job is placed at its deadline, or as soon after it as the floor allows.
    """
    wait = spacing(guidance, errors, when_absent)
    wanted = now + wait * (1.0 + JITTER_SHARE * jitter)
    last = max(deadline, now + floor(guidance, when_absent))
    return min(wanted, last)


def retry_in(attempt: int, *, first: float, ceiling: float, jitter: float) -> float:
    """Exponential backoff for attempt 1, 2, 3 …: `first`, doubling to `ceiling`, plus up to a quarter."""
    return min(first * 2.0 ** min(max(attempt, 1) - 1, 32), ceiling) * (1.0 + 0.25 * jitter)
