"""Which names are safe to be part of a path, an object's key or a stream's: checked, not repaired."""

from __future__ import annotations

import re

from orchestrator.errors import NEVER, DestinationError

SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")  # a temporary name stays within 255 bytes


def require_safe(name: str, what: str) -> None:
    """Raise DestinationError, for good, where the name could mean another place than `what` it is to name."""
    if not SAFE_NAME.fullmatch(name):
        raise DestinationError(
            f"{name!r} cannot be the name of {what}",
            hint="a name is up to 200 letters, digits, `_`, `-` and `.`, the first of them no `-` or `.`",
            retry=NEVER,
        )
