"""One job of several in a transaction: what goes wrong with it costs the others nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.errors import RowRefused
from orchestrator.store.database import Transaction
from orchestrator.telemetry import Event, log

# What a bug of ours, or an answer that nobody foresaw, ends in. Not what says that the database is away.
BROKEN = (RowRefused, LookupError, TypeError, ValueError, AttributeError, AssertionError)


@contextmanager
def alone(tx: Transaction, event: Event, job: str | None, **facts: str) -> Iterator[None]:
    """Undo and log as `event` what breaks in here, and go on after it."""
    try:
        with tx.part():
            yield
    except BROKEN as error:
        log(event, job=job, level=logging.ERROR, error=f"{type(error).__name__}: {error}", **facts)
