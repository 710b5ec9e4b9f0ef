"""Cursors of lists: where a page ended, and which list it was of. Opaque to whoever has one. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib

_MARK = 8  # characters that say which list it is of


def write(last: str, of: object) -> str:
    """The cursor that goes on after `last` in a list that `of` describes."""
    return base64.urlsafe_b64encode(f"{_mark(of)}{last}".encode()).decode().rstrip("=")


def read(cursor: str, of: object) -> str | None:
    """The last id of the page before; None for what is no cursor of this list."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode(
            "ascii"
        )
    except (binascii.Error, ValueError):
        return None
    mark, last = text[:_MARK], text[_MARK:]
    return last if mark == _mark(of) and last.isprintable() and last else None


def _mark(of: object) -> str:
    return hashlib.sha256(repr(of).encode()).hexdigest()[:_MARK]
