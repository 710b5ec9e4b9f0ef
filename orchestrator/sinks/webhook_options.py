"""What a receiver of signed calls can be told, and what is refused of it."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping

import httpx
from pydantic import Field, SecretStr, ValidationInfo, field_validator

from orchestrator.sinks.addresses import Network
from orchestrator.sinks.base import SinkOptions
from orchestrator.sinks.network import check_url

SECRET_PREFIX = "whsec_"
LONG_WORD = 8  # letters; shorter words of a header may stand in an answer without telling anything

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[!-~]([ -~]{0,4000}[!-~])?")
_OUR_HEADERS = {"accept-encoding", "connection", "content-encoding", "content-length", "content-type"} | {
    *("expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "user-agent")
}


class WebhookOptions(SinkOptions):
    """Where to call, and what to sign with."""

    allow: tuple[Network, ...] = Field(
        default=(), description="Private networks that may be called, such as 10.1.0.0/16."
    )
    allow_http: bool = Field(default=False, description="Whether `url` may be plain http.")
    url: str = Field(description="Where to POST to. https, unless `allow_http` is set.")
    secrets: tuple[SecretStr, ...] = Field(
        min_length=1,
        max_length=8,
        description="Each is `whsec_` and 24 to 64 bytes in base64; the newest first. All of them sign "
        "each call.",
    )
    timeout_seconds: float = Field(
        default=15.0, gt=0, le=30, description="How long to wait for the receiver's answer."
    )
    headers: Mapping[str, SecretStr] = Field(
        default={}, description="Headers to send besides ours, such as Authorization."
    )

    @field_validator("secrets")
    @classmethod
    def _signing(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in value:
            _check_secret(secret.get_secret_value())
        return value

    @field_validator("headers")
    @classmethod
    def _sendable(cls, value: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        for name, content in value.items():
            _check_header(name, content.get_secret_value())
        return value

    @field_validator("url")
    @classmethod
    def _callable(cls, value: str, info: ValidationInfo) -> str:
        # Of the field alone, so that it is told also where the secrets are not read yet.
        if {"allow", "allow_http"} <= info.data.keys():  # else they are wrong, and told of already
            check_url(value, info.data["allow"], allow_http=info.data["allow_http"])
        return value

    def checked_url(self) -> str:
        """The URL as it is to be called. Raises ValueError."""
        return check_url(self.url, self.allow, allow_http=self.allow_http)

    def hidden(self) -> frozenset[str]:
        """What is not shown of an answer that repeats it: secrets, header values, the query of the URL."""
        secrets = [secret.get_secret_value().removeprefix(SECRET_PREFIX) for secret in self.secrets]
        values = [value.get_secret_value() for value in self.headers.values()]
        words = [word for value in values for word in value.split()]
        words += httpx.URL(self.url).params.values()
        return frozenset([*secrets, *values, *(word for word in words if len(word) >= LONG_WORD)])


def _check_secret(secret: str) -> None:
    # The library passes over letters that are not base64, and would sign with a key that nobody else has.
    try:
        key = b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError(f"a secret is not `{SECRET_PREFIX}` and 24 to 64 bytes in base64")


def _check_header(name: str, content: str) -> None:
    if name.lower() in _OUR_HEADERS or name.lower().startswith("webhook-"):
        raise ValueError(f"{name} is a header that we set")
    if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(content):
        raise ValueError("a header has a name or a value that cannot be sent")
