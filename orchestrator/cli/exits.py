"""Exit codes, and how an error reaches a person."""

from __future__ import annotations

import signal
import sys
from enum import IntEnum

from orchestrator.errors import (
    ApiError,
    ContentError,
    DestinationError,
    GatewayError,
    NotAllowed,
    NotFound,
    OrchestratorError,
    RequestError,
    SettingError,
    StoreError,
)


class Exit(IntEnum):
    """What an exit code means."""

    OK = 0  # done; if jobs were followed: all of them completed and were handed off
    OTHERWISE = (
        1  # a job ended otherwise or needs a person, a check or the demo failed, or standard output was lost
    )
    USAGE = 2  # a bad option, setting or request: nothing was started
    REFUSED = 3  # there is no such job or entry, or it is in the wrong state for this
    STORE = 4  # the database cannot be used
    GATEWAY = 5  # the gateway, or with --url the API, gave no answer
    INTERRUPTED = 130  # Ctrl-C, or SIGTERM


# The first row that fits counts.
_CODES = (
    (NotFound, Exit.REFUSED),
    (NotAllowed, Exit.REFUSED),
    (RequestError, Exit.USAGE),
    (SettingError, Exit.USAGE),
    (DestinationError, Exit.USAGE),
    (StoreError, Exit.STORE),
    (GatewayError, Exit.GATEWAY),
    (ContentError, Exit.GATEWAY),
    (ApiError, Exit.GATEWAY),
)


def code_of(error: OrchestratorError) -> Exit:
    """The exit code for an error that ended a command."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), Exit.OTHERWISE)


def stop_on_sigterm() -> None:
    """Let SIGTERM end a command as Ctrl-C does: whatever it started is stopped in order."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def explain(error: OrchestratorError) -> None:
    """Say on stderr what happened and what to do."""
    from orchestrator.cli.screen import text

    hint = f"\n  {text(error.hint)}" if error.hint else ""
    sys.stderr.write(f"error: {text(error.message)}{hint}\n")
