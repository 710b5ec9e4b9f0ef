"""What can be an address, a URL or a key. No message repeats what was given: it may hold a password."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from urllib.parse import urlsplit
from uuid import UUID

GATEWAY = "https://api.phaseo.app/v1"
POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+):(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)


def ports_of(address: str) -> tuple[str, range]:
    """The host and the ports of an address such as 127.0.0.1:9464-9479. Raises ValueError."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ValueError("is no address with a port; give 127.0.0.1:9464, or 127.0.0.1:9464-9479")
    ports = range(int(found[2]), int(found[3] or found[2]) + 1)
    if not ports or ports[-1] > 65_535:
        raise ValueError("names no possible ports")
    return found[1].strip("[]"), ports


def checked_gateway_url(value: str) -> str:
    """The base URL of a gateway, without a slash at its end. Raises ValueError, without repeating it."""
    if not is_http(value):
        raise ValueError(f"is not an http(s) URL with a host and a possible port; the gateway's is {GATEWAY}")
    if has_more(value):
        raise ValueError("must have no user, query or fragment; the key has a setting of its own")
    return value.rstrip("/")


def checked_endpoint_id(value: str) -> str:
    """The id of a webhook endpoint, as the gateway writes it. Raises ValueError."""
    try:
        return str(UUID(value))
    except ValueError:
        # The gateway answers 500 to an id that is none (contract 5), which would look like an outage.
        raise ValueError("is not a UUID; the gateway shows it as the `id` of the webhook endpoint") from None


def is_http(url: str) -> bool:
    """Whether it is an http(s) URL with a host and a possible port."""
    try:
        parts = urlsplit(url)
        return url.startswith(("http://", "https://")) and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def has_more(url: str) -> bool:
    """Whether it has a user, a query or a fragment."""
    return "@" in urlsplit(url).netloc or "?" in url or "#" in url


def is_network(text: str) -> bool:
    """Whether it is an address or a network."""
    try:
        ipaddress.ip_network(text)
        return True
    except ValueError:
        return False


def is_fernet_key(key: str) -> bool:
    """Whether it can be a Fernet key."""
    try:
        return len(base64.urlsafe_b64decode(key.encode())) == 32
    except (binascii.Error, ValueError):
        return False


def has_host(url: str, schemes: tuple[str, ...]) -> bool:
    """Whether it is a URL of one of these schemes, with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def why_no_database(url: str) -> str:
    """What is wrong with the URL of a database; empty where nothing is."""
    scheme, found, rest = url.partition("://")
    if not found:
        return "is not a database URL"
    if scheme in POSTGRESQL:
        return "" if _names_database(url) else "names no PostgreSQL database"
    if scheme != "sqlite":
        return "names a database that is not supported"
    if not rest.startswith("/") or rest in ("/", "/:memory:") or "?" in rest:
        return "must name a file and nothing else, after three slashes"
    return ""


def _names_database(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return len(parts.path) > 1 and parts.port != 0
    except ValueError:
        return False
