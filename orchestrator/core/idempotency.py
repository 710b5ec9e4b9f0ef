"""Idempotency keys as draft-ietf-httpapi-idempotency-key-header has them, and what is compared. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

# A string of structured fields (RFC 9651), or as most people send it, without quotes.
PATTERN = r'^(?:"(?:[!#-\[\]-~]|\\["\\]){1,255}"|[!#-~][!-~]{0,254})$'

_ESCAPED = re.compile(r"\\(.)")


def read_key(given: str) -> str:
    """The key that a header of this pattern means: the same with quotes and without."""
    return _ESCAPED.sub(r"\1", given[1:-1]) if given.startswith('"') else given


def fingerprint(asked: Any) -> str:
    """The same for everything that asks for the same, in whatever order it names its parts."""
    canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
