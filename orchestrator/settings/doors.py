"""Addresses that we listen on, and those we are reached at."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from orchestrator.settings.base import PREFIX, Group, or_none, parted
from orchestrator.settings.checks import has_more, is_http, is_network


class Doors(Group):
    """Addresses that we listen on, and those we are reached at."""

    host: str = Field("127.0.0.1", description="Address that the receiver listens on.")
    port: int = Field(
        8700, ge=0, le=65535, description="Port that the receiver listens on; 0 takes a free one."
    )
    public_url: str | None = Field(
        None,
        description="Public URL of `web`, with which links to outputs begin. Empty: http:// with host "
        "and port of the API.",
    )
    api_host: str | None = Field(None, description="Address that the API listens on. Empty: HOST.")
    api_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port of the API, the dashboard and outputs, if not the receiver's; 0 takes a free one. "
        "Empty: one port for everything.",
    )
    api_max_bytes: int = Field(
        8_388_608, ge=1024, le=268_435_456, description="Largest body of a request to the API."
    )
    receiver_connections: int = Field(
        512, ge=1, le=1_000_000, description="Most connections at once to a port that only takes webhooks."
    )
    api_connections: int = Field(
        12_000, ge=1, le=1_000_000, description="Most connections at once to the port of the API."
    )
    trusted_proxies: tuple[str, ...] = Field(
        (),
        description="Addresses or networks of proxies, separated by commas, whose X-Forwarded-For and "
        "X-Forwarded-Proto are trusted. Empty: none.",
    )
    dashboard: bool = Field(True, description="Serve the dashboard at /dashboard, on the port of the API.")
    log_prompts: bool = Field(
        False,
        description="Log what is submitted over the API, including prompts. Otherwise prompts are never "
        "logged.",
    )
    api_url: str | None = Field(
        None,
        description="URL of an orchestrator's API that commands use instead of a database, unless they are "
        "given `--url` or `--data-dir`.",
    )
    api_key: SecretStr = Field(SecretStr(""), description="API key for that URL.")

    @field_validator("public_url", "api_host", "api_port", "api_url", mode="before")
    @classmethod
    def _no_door(cls, value: Any) -> Any:
        return or_none(value)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_proxies(cls, value: Any) -> Any:
        return parted(value)

    @field_validator("public_url")
    @classmethod
    def _base(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not is_http(value):
            raise ValueError("is not an http(s) URL with a host and a possible port; give https://host/path")
        if has_more(value):
            raise ValueError("must have no user, query or fragment; paths are added to it")
        return value.rstrip("/")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(is_network(one) for one in value):
            raise ValueError("has something that is not an address or network; give 10.0.0.7 or 10.0.0.0/8")
        return value

    @model_validator(mode="after")
    def _two_ports(self) -> Self:
        if self.api_host and self.api_port in (None, self.port or None):
            raise ValueError(f"{PREFIX}API_HOST needs an {PREFIX}API_PORT of its own")
        return self

    @property
    def resolved_public_url(self) -> str:
        """The base of links, without a slash at its end, with the default filled in."""
        return self.public_url or _url(*(self.api_address or (self.host, self.port)))

    @property
    def receiver_url(self) -> str:
        """The base of the URLs of webhooks: the public one, unless that is of an API with its own port."""
        return _url(self.host, self.port) if self.api_address else self.resolved_public_url

    @property
    def api_address(self) -> tuple[str, int] | None:
        """Host and port of the API, where it has a port of its own."""
        own = self.api_port is not None and (self.api_port == 0 or self.api_port != self.port)
        return (self.api_host or self.host, self.api_port or 0) if own else None


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
