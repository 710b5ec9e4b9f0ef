"""When jobs are looked at whose webhooks stopped: soon, spread over time, and never below the floor."""

from __future__ import annotations

from orchestrator.core.learned.plan import Plan

RECALLED_A_SECOND = 500  # jobs; more open ones come back over a longer time
PROBED = 8  # jobs that are looked at where webhooks seem to have stopped
EXPECTED = 8.0  # webhooks that should have come since the last one
LIKELY = 0.5  # that a job has ended, or a look at it says nothing of webhooks
FIRST_WAIT, LONGEST_WAIT = 2.0, 300.0  # seconds between two such tries, while nothing is found


def brought_forward(
    *, now: float, floor: float, due_at: float, after: float, over: float, chance: float
) -> float:
    """When a job that is due at `due_at` is looked at: at random in `over` seconds, from `after` on."""
    return min(due_at, max(floor, now + after + over * chance))


def ended_by_now(plan: Plan, *, age: float, seen_running_at: float) -> float:
    """The probability that a job of this age has ended, which was last seen running at another."""
    before = plan.ended_by(seen_running_at)
    return (plan.ended_by(age) - before) / max(1.0 - before, 1e-9)


def next_wait(wait: float | None, *, heard_since: bool) -> float:
    """Seconds until the next try at an endpoint: twice as long each time, until a webhook comes."""
    return FIRST_WAIT if wait is None or heard_since else min(2.0 * wait, LONGEST_WAIT)
