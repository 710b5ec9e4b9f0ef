"""Whether a webhook really came from the gateway (gateway contract 4.2).

The signature is lowercase hex HMAC-SHA256 over `timestamp + "." + raw body`, keyed with the UTF-8
bytes of the whole secret, its `whsec_` prefix included. The gateway rotates secrets without an
overlap, so several live secrets are tried. The older `x-ai-stats-*` headers carry the same signature.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

TOLERANCE = 300.0  # seconds, both ways, inclusive, as the gateway's own verifiers have it
FAMILIES = ("x-phaseo", "x-ai-stats")

_HEX = re.compile(r"[0-9a-fA-F]{64}\Z", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,17}\Z", re.ASCII)
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,18}(Z|[+-][0-9]{2}:[0-9]{2})\Z", re.ASCII)


class Refusal(StrEnum):
    """Why a delivery is not believed."""

    NO_SIGNATURE = "no_signature"  # a signature or timestamp header is missing
    BAD_TIMESTAMP = "bad_timestamp"  # the timestamp is no time
    STALE = "stale"  # signed too long ago, or in the future
    FORGED = "forged"  # no live secret made this signature
    NO_SECRET = "no_secret"  # the account has no secret to check with


@dataclass(frozen=True, slots=True)
class Verified:
    """A believed delivery: which of the secrets signed it (by position) and when, in epoch seconds."""

    secret_index: int
    signed_at: float


def sign(secret: str, timestamp: str, body: bytes) -> dict[str, str]:
    """The headers that make a delivery believed, as the gateway sends them."""
    mac = _mac(secret, timestamp, body)
    return {f"{FAMILIES[0]}-timestamp": timestamp, f"{FAMILIES[0]}-signature": mac.finalize().hex()}


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secrets: Iterable[str],
    *,
    now: float,
    tolerance: float = TOLERANCE,
) -> Verified | Refusal:
    """Check a delivery against every live secret. Never raises, whatever the bytes are.

    `headers` has lower-case names. `now` is the receiver's wall clock in epoch seconds.
    """
    claimed, timestamp = _claim(headers)
    if not claimed or not timestamp:
        return Refusal.NO_SIGNATURE
    signed_at = _moment(timestamp)
    if signed_at is None:
        return Refusal.BAD_TIMESTAMP
    live = [secret for secret in secrets if secret.strip()]
    if not live:
        return Refusal.NO_SECRET
    found = _who_signed(claimed, timestamp, body, live)
    if found is None:
        return Refusal.FORGED
    if not abs(now - signed_at) <= tolerance:
        return Refusal.STALE
    return Verified(secret_index=found, signed_at=signed_at)


def signer(headers: Mapping[str, str], body: bytes, secrets: Iterable[str]) -> int | None:
    """Which of the secrets made the signature, by position, whenever that was."""
    claimed, timestamp = _claim(headers)
    return _who_signed(claimed, timestamp, body, list(secrets))


def _claim(headers: Mapping[str, str]) -> tuple[str, str]:
    for family in FAMILIES:
        claimed = headers.get(f"{family}-signature", "").strip()
        timestamp = headers.get(f"{family}-timestamp", "").strip()
        if claimed or timestamp:
            return claimed, timestamp
    return "", ""


def _who_signed(claimed: str, timestamp: str, body: bytes, secrets: list[str]) -> int | None:
    # Checked before decoding: a comparison of text raises on the first non-ASCII character.
    if not _HEX.match(claimed):
        return None
    for index, secret in enumerate(secrets):
        mac = _mac(secret, timestamp, body)
        try:
            mac.verify(bytes.fromhex(claimed))  # constant time
        except InvalidSignature:
            continue
        return index
    return None


def _mac(secret: str, timestamp: str, body: bytes) -> HMAC:
    mac = HMAC(secret.strip().encode(), SHA256())
    mac.update(timestamp.encode() + b"." + body)
    return mac


def _moment(timestamp: str) -> float | None:
    """Epoch seconds, epoch milliseconds (13 digits or more) or ISO 8601, as the gateway's SDKs read it."""
    if _DIGITS.match(timestamp):
        return int(timestamp) / 1000 if len(timestamp) >= 13 else float(timestamp)
    if not _ISO.match(timestamp):
        return None
    try:
        return datetime.fromisoformat(timestamp).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
