"""The workspace's webhook endpoints, and which URLs they may have (contract sections 4.4 and 5)."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit, urlunsplit

from orchestrator.sandbox.config import SandboxConfig
from orchestrator.sandbox.ids import Ids
from orchestrator.sandbox.state import Endpoint

DEFAULT_EVENTS = [
    "video.completed",
    "video.failed",
    "video.cancelled",
    "batch.completed",
    "batch.failed",
    "batch.cancelled",
]
_REFUSED = [
    ipaddress.ip_network(net)
    for net in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/16",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/3",
        "::/128",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    )
]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class EndpointBook:
    """All endpoints of the one workspace."""

    def __init__(self, config: SandboxConfig, ids: Ids, now: float) -> None:
        self._ids = ids
        self._endpoints: dict[str, Endpoint] = {}
        if config.webhook_url:
            self._endpoints[config.endpoint_id] = Endpoint(
                config.endpoint_id,
                "Async webhooks",
                config.webhook_url,
                list(DEFAULT_EVENTS),
                config.webhook_secret,
                now,
                now,
            )

    def find(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint of that id, deleted ones included."""
        return self._endpoints.get(endpoint_id)

    def create(self, url: str, name: str, events: list[str], now: float) -> Endpoint:
        """A new active endpoint with a new secret."""
        endpoint = Endpoint(self._ids.endpoint(), name, url, events, self._ids.secret(), now, now)
        self._endpoints[endpoint.id] = endpoint
        return endpoint

    def rotate(self, endpoint: Endpoint, now: float) -> None:
        """A new secret, effective at once; the old one is dead."""
        endpoint.secret, endpoint.updated_at = self._ids.secret(), now

    def everything(self, include_deleted: bool) -> list[Endpoint]:
        """The endpoints, latest first."""
        rows = [row for row in self._endpoints.values() if include_deleted or row.deleted_at is None]
        return rows[::-1]


def check_url(url: str, allow_private: bool) -> tuple[str | None, str | None]:
    """The URL to keep, or the reason of refusal. Host names are not resolved here."""
    text = url.strip()
    if not text:
        return None, "webhook_url_required"
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return None, "webhook_url_invalid"
    if not parts.scheme or (not host and parts.scheme in ("http", "https")):
        return None, "webhook_url_invalid"
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        return None, "webhook_url_must_use_https"
    if not allow_private and _is_private(host):
        return None, "webhook_url_private_network_not_allowed"
    return urlunsplit(parts._replace(fragment="", path=parts.path or "/")), None


def _is_private(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            address = address.ipv4_mapped
        elif address in _NAT64:
            address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address is not None and any(address in net for net in _REFUSED)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """A literal address, decimal and hex spellings of IPv4 included."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(int(host, 0))
    except ValueError:
        return None
