"""Signatures as the gateway makes them, by another implementation than the product's."""

import hashlib
import hmac


def signature(secret: str, timestamp: str, body: bytes) -> bytes:
    """The 32 bytes that the gateway sends in hex (gateway contract 4.2)."""
    return hmac.new(secret.strip().encode(), timestamp.encode() + b"." + body, hashlib.sha256).digest()
