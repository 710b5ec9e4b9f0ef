"""What every archive says of hashes: which texts are none, and that what is there is not what was kept."""

from __future__ import annotations

import re

from orchestrator.errors import NEVER, ContentDamaged, DestinationError

_SHA256 = re.compile(r"[0-9a-f]{64}")


def require_sha256(text: str) -> str:
    """The same text; raises DestinationError, for good, where it is no hash and could mean another place."""
    if not _SHA256.fullmatch(text):
        raise DestinationError(
            f"{text!r} is no SHA-256 in lower-case hex",
            hint="the archive is asked by the hash that `keep` told",
            retry=NEVER,
        )
    return text


def damaged(sha256: str, why: str) -> ContentDamaged:
    """The error for what cannot be given back as it was kept."""
    return ContentDamaged(
        f"the archive's copy of {sha256} {why}",
        hint="it is fetched from the gateway again, while the gateway has it; `remove` makes room for it",
    )
