"""Removing what the settings keep no longer, by one worker at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from orchestrator.engine import purge
from orchestrator.engine.context import Context
from orchestrator.engine.purge import DAY, Wanted, in_parts
from orchestrator.errors import DestinationError
from orchestrator.store import (
    attempts,
    destinations,
    drift,
    estimates,
    events,
    idempotency,
    inbox,
    lessons,
    observations,
    sessions,
    tokens,
    workers,
)
from orchestrator.store.database import Transaction
from orchestrator.store.workers import Pulse
from orchestrator.telemetry import Event, log

EVERY = 60.0  # seconds
PURGE_EVERY = 3_600.0  # seconds
ROUNDS = 50  # parts that one round of it removes at most, each in a transaction of its own
KEYS_KEPT = 7 * DAY  # for so long a repeated request makes nothing twice
REMEMBERED = 60 * DAY  # for so long it is known what nothing more was learned about
UNFOLDED = 7 * DAY  # for so long a lesson waits that nobody can fold
UNTRIED_FOR = 600.0  # seconds beyond its pause after which a destination that is shut may be forgotten


def keep_house(context: Context) -> None:
    """Remove what is old, unless somebody did within the last minute."""
    with context.store.write(durable=False) as tx:
        # Taken before the work: others need not wait for it, and one that fails does not come each second.
        if not workers.pulse_if_older(tx, Pulse.HOUSEKEEPING, EVERY):
            return
    settings = context.settings
    retained = {
        "attempts": (attempts.prune, settings.retain_attempts_days * DAY),
        "observations": (observations.prune, settings.retain_observations_days * DAY),
        "events": (events.prune, settings.retain_observations_days * DAY),
        "inbox": (inbox.prune, settings.retain_inbox_days * DAY),
        "rejections": (inbox.prune_rejections, settings.retain_inbox_days * DAY),
        "idempotency": (idempotency.prune, KEYS_KEPT),
        "destinations": (destinations.forget, UNTRIED_FOR),
        "estimates": (estimates.prune, REMEMBERED),
        "drift": (drift.prune, REMEMBERED),
        "lessons": (lessons.prune, UNFOLDED),
        "sessions": (sessions.prune, DAY),
        "tokens": (tokens.prune, DAY),  # until then whoever comes back is told why
    }
    gone: dict[str, Any] = {"workers": in_parts(context, ROUNDS, workers.bury_dead)}
    for name, (prune, age) in retained.items():
        gone[name] = in_parts(context, ROUNDS, partial(_older, prune, age))
    gone |= _purged(context)
    if any(gone.values()):
        log(Event.SWEPT, **gone)


def _older(prune: Callable[..., int], age: float, tx: Transaction) -> int:
    return prune(tx, before=tx.now - age)


def _purged(context: Context) -> dict[str, int]:
    """What the archive and the jobs lost; all of the archive is gone through, so not every minute."""
    with context.store.write(durable=False) as tx:
        if not workers.pulse_if_older(tx, Pulse.PURGE, PURGE_EVERY):
            return {}
    settings, gone = context.settings, {"unfinished": purge.tidy(context, older_than=DAY)}
    if settings.retain_outputs_days:
        gone["outputs"] = purge.purge_outputs(
            context, Wanted(settings.retain_outputs_days * DAY), parts=ROUNDS
        )
    if settings.retain_jobs_days:
        gone["jobs"] = purge.purge_jobs(context, Wanted(settings.retain_jobs_days * DAY), parts=ROUNDS)
    with suppress(DestinationError):  # whoever brings something there says what is wrong with it
        gone["content"] = purge.remove_unused(context, parts=ROUNDS)
    return gone
