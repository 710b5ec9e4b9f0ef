"""Named places where a test lets the process die, to prove that nothing is lost there.

`reach` does nothing unless a test armed one of the points, by the setting `fault_point`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from orchestrator.errors import SettingError


class FaultPoint(StrEnum):
    """Where a process can be made to die."""

    SUBMIT_COMMITTED = "submit.committed"  # the job is kept, no message was sent
    CREATE_CLAIMED = "create.claimed"  # `creating` is committed, nothing was sent
    CREATE_ANSWERED = "create.answered"  # the gateway answered, nothing of it is kept
    CREATE_COMMITTED = "create.committed"  # the answer is kept, no message was sent
    LOOK_CLAIMED = "look.claimed"  # due jobs are leased, the gateway was not asked
    LOOK_ANSWERED = "look.answered"  # the gateway answered, nothing of it is kept
    LOOK_COMMITTED = "look.committed"  # the answers are kept, no message was sent
    OBSERVE_MOVED = "observe.moved"  # the guarded update is done, its transaction is not
    RECEIVE_APPLIED = "receive.applied"  # a webhook is applied, its transaction is not committed
    RECEIVE_COMMITTED = "receive.committed"  # a webhook is kept, the gateway has no answer yet
    HAND_OFF_CLAIMED = "hand_off.claimed"  # a hand-off is leased, nothing was fetched or brought
    ARCHIVING_STAGED = "archiving.staged"  # an output is fetched whole, the archive does not show it
    DELIVERING_STAGED = "delivering.staged"  # the whole content was brought, nobody sees it yet
    HAND_OFF_PUBLISHED = "hand_off.published"  # the archive or destination has it, we have not kept that
    HAND_OFF_COMMITTED = "hand_off.committed"  # it is kept as done, no message was sent
    ENDPOINT_MADE = "endpoint.made"  # the gateway made a webhook endpoint, its secret is not kept
    ENDPOINT_SECRET_BEGUN = (
        "endpoint_secret.begun"  # it is noted that a secret is replaced, nothing was asked
    )
    ENDPOINT_SECRET_ANSWERED = "endpoint_secret.answered"  # the gateway signs with a new one, it is not kept
    ENDPOINT_SECRET_KEPT = "endpoint_secret.kept"  # both are kept, nobody was told


_armed: FaultPoint | None = None
_remaining = 0
_die: Callable[[FaultPoint], None] | None = None
_watcher: Callable[[FaultPoint], None] | None = None


def arm(spec: str, die: Callable[[FaultPoint], None]) -> None:
    """Let `die` be called the n-th time that the point in `spec` (`name` or `name:n`) is reached."""
    global _armed, _remaining, _die
    name, _, nth = spec.partition(":")
    try:
        _armed, _remaining, _die = FaultPoint(name), int(nth or 1), die
    except ValueError:
        known = ", ".join(FaultPoint)
        raise SettingError(f"unknown fault point {spec!r}", hint=f"one of: {known}") from None


def watch(watcher: Callable[[FaultPoint], None] | None) -> None:
    """Tell `watcher` of every place reached from now on; None tells nobody. It may raise."""
    global _watcher  # noqa: PLW0603
    _watcher = watcher


def reach(point: FaultPoint) -> None:
    """Say that this place was reached."""
    global _remaining  # noqa: PLW0603
    if _watcher is not None:
        _watcher(point)
    if point is not _armed or _die is None:
        return
    _remaining -= 1
    if _remaining == 0:
        _die(point)
