"""API keys, come-back tokens and sessions: what they look like, and what is kept of them.

`hjo_<id>_<secret>` is a key, `hjt_<id>_<secret>` a token, `hjs_<id>_<secret>` a session: by these
letters and lengths scanners of repositories and logs recognise a leaked one. Only the SHA-256 of the secret
is kept. It is 32 random bytes, which nobody guesses however fast they try: a slow hash, as for passwords,
would slow down nobody but us.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from cryptography.hazmat.primitives.constant_time import bytes_eq

Chance = Callable[[int], bytes]  # so many random bytes, which nobody can guess

LONGEST = 64  # characters
_ID = re.compile(r"[a-z2-7]{16}", re.ASCII)
_SHAPE = re.compile(r"(hjo|hjt|hjs)_([a-z2-7]{16})_([A-Za-z0-9_-]{43})", re.ASCII)
_NOBODY_S = bytes(32)  # the digest of no secret that anybody knows


class Kind(StrEnum):
    """What somebody can show us, by its first letters."""

    KEY = "hjo"
    TOKEN = "hjt"
    SESSION = "hjs"  # of a browser in which somebody signed in with a key


@dataclass(frozen=True, slots=True)
class Presented:
    """What somebody shows us; `digest` is that of its secret."""

    id: str
    digest: bytes

    def proves(self, kept: bytes | None) -> bool:
        """Whether its secret is the kept one. Without any, it takes as long to say no."""
        return bytes_eq(self.digest, _NOBODY_S if kept is None else kept)


@dataclass(frozen=True, slots=True)
class Made:
    """A new key, token or session: what is kept of it, and the whole, to be shown once."""

    id: str
    digest: bytes
    whole: str = field(repr=False)


def is_id(text: str) -> bool:
    """Whether it can be the id of such a one: whatever cannot, no database need be asked for."""
    return _ID.fullmatch(text) is not None


def make(kind: Kind, chance: Chance) -> Made:
    """A new one."""
    own = base64.b32encode(chance(10)).decode().lower()
    secret = base64.urlsafe_b64encode(chance(32)).decode().rstrip("=")
    return Made(own, _digest(secret), f"{kind}_{own}_{secret}")


def read(kind: Kind, text: str) -> Presented | None:
    """What was shown; None where it is none of this kind, whatever it is."""
    found = _SHAPE.fullmatch(text) if len(text) <= LONGEST else None
    if found is None or found[1] != kind:
        return None
    return Presented(found[2], _digest(found[3]))


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
