"""Ids in the gateway's own forms, drawn from a seed."""

from __future__ import annotations

import base64
import random
import uuid

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Ids:
    """A reproducible source of request ids, endpoint ids and secrets."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"ids:{seed}")

    def request(self, now: float) -> str:
        """`G-` and a ULID: ten characters of time, sixteen of chance."""
        number = (int(now * 1000) << 80) | self._random.getrandbits(80)
        return "G-" + "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))

    def endpoint(self) -> str:
        """A random UUID."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def secret(self) -> str:
        """`whsec_` and 32 random bytes in base64url, 49 characters in all."""
        return "whsec_" + base64.urlsafe_b64encode(self._random.randbytes(32)).decode().rstrip("=")
