"""One call of a use-case: what follows is sent, and what goes wrong is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.errors import Stopping, StoreError
from orchestrator.tasks.sending import Sender
from orchestrator.telemetry import Event, log

UseCase = Callable[[Context], Sequence[FollowUp] | None]


def once(use_case: UseCase, context: Context, send: Sender) -> bool:
    """Whether there may be more to do."""
    try:
        follow_ups = use_case(context)
    except StoreError as error:
        context.held.doubt()  # what was claimed is given back once the database answers
        log(Event.STORE_FAILED, level=logging.ERROR, error=error.message, hint=error.hint)
        return False
    except Stopping:  # what was claimed is free once this process has left
        return False
    except Exception:  # a bug of ours: what was claimed comes back soon, not when its lease runs out
        context.held.doubt()
        raise
    send(follow_ups or ())
    return follow_ups is not None
