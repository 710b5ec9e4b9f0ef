"""How many webhooks should have come since the last one did: the jobs that are open tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable

ENDED = 1e-9  # of the jobs of a class still run at an age that nothing is known of


def expected(
    open_jobs: Iterable[tuple[float, float | None]],
    ended_by: Callable[[float], float],
    *,
    last_came_at: float,
    patience: float,
    now: float,
    lost: float = 0.0,
) -> float:
    """The number of open jobs of a class whose webhook should have come since then, as far as is known.

    `open_jobs` are when each began and was last seen running. A webhook is awaited for `patience` seconds;
    whatever had ended that long before the last one came was told of then, but for the share that is `lost`.
    """
    return sum(
        _told_since(
            ended_by,
            seen=(seen or began) - began,
            then=max(last_came_at - patience, seen or began) - began,
            now=now - patience - began,
            lost=lost,
        )
        for began, seen in open_jobs
    )


def _told_since(
    ended_by: Callable[[float], float], *, seen: float, then: float, now: float, lost: float
) -> float:
    """The probability that one of them ended between two ages and its webhook was not one of those lost.

    Most that are open long after the others ended are those of which nobody told: they owe no webhook.
    """
    if now <= then:
        return 0.0
    at = ended_by(max(then, 0.0))
    open_then = 1.0 - at + lost * (at - ended_by(max(seen, 0.0)))
    return (1.0 - lost) * (ended_by(now) - at) / open_then if open_then > ENDED else 0.0
