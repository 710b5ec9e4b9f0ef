"""Signed links to outputs: who has one may read that output, now or in a year, and no other.

The signature is an HMAC-SHA256 under a key that is derived, for this alone, from one of the
ORCHESTRATOR_SECRET_KEYS. A link lives as long as the key that made it is among them.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Sequence

from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orchestrator.errors import SettingError

PURPOSE = b"output link"


def derive(secret_keys: Sequence[str]) -> list[bytes]:
    """A key for links from each secret key, in their order. They tell nothing about the secret keys."""
    return [HKDF(SHA256(), length=32, salt=None, info=PURPOSE).derive(key.encode()) for key in secret_keys]


def sign(keys: Sequence[bytes], job_id: str, index: int) -> str:
    """The signature of one output, by the first key: 43 characters that stand in a URL as they are."""
    if not keys:
        raise SettingError(
            "there is no key to sign links with",
            hint="`orchestrator secrets new-key` makes one; set it as ORCHESTRATOR_SECRET_KEYS",
        )
    return _signature(keys[0], job_id, index).decode()


def verify(keys: Sequence[bytes], job_id: str, index: int, signature: str) -> bool:
    """Whether one of the keys made it, for this output. Never raises; takes as long for any wrong one."""
    given = signature.encode(errors="replace")
    return any(bytes_eq(given, _signature(key, job_id, index)) for key in keys)


def _signature(key: bytes, job_id: str, index: int) -> bytes:
    mac = HMAC(key, SHA256())
    mac.update(b"\0".join((PURPOSE, job_id.encode(errors="surrogatepass"), b"%d" % index)))
    return urlsafe_b64encode(mac.finalize()).rstrip(b"=")
