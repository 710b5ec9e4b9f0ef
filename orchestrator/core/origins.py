"""The origins of web pages, as browsers write them (RFC 6454). Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

LONGEST = 300  # characters; the longest name of a host has 253
_USUAL_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]", re.ASCII)


def normal(text: str) -> str | None:
    """The origin that a browser would send for this one: `https://shop.example`. None if it is none.

    A path, a query, a user or a `*` make it none, and so does a name that is not ASCII: browsers send such
    ones as punycode.
    """
    try:
        parts = urlsplit(text.removesuffix("/"))
        port = parts.port
    except ValueError:
        return None
    host = parts.netloc.lower().removesuffix(f":{port}") if port is not None else parts.netloc.lower()
    whole = f"{parts.scheme}://{parts.netloc}".lower() == text.removesuffix("/").lower()
    if parts.scheme not in _USUAL_PORTS or not _HOST.fullmatch(host) or not whole or len(text) > LONGEST:
        return None
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, _USUAL_PORTS[parts.scheme]) else "")
