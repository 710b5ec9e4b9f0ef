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
) -> float:
    """The number of open jobs of a class whose webhook should have come since then, as far as is known.

    `open_jobs` are when each began and was last seen running. A webhook is awaited for `patience` seconds;
    whatever had ended that long before the last one came was told of then.
    """
    return sum(
        _ended_since(ended_by, max(last_came_at - patience, seen or began) - began, now - patience - began)
        for began, seen in open_jobs
    )


def _ended_since(ended_by: Callable[[float], float], then: float, now: float) -> float:
    if now <= then:
        return 0.0
    running = 1.0 - ended_by(max(then, 0.0))
    return (ended_by(now) - ended_by(max(then, 0.0))) / running if running > ENDED else 0.0
