"""The gateway, and how its webhooks are believed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from orchestrator.settings.base import PREFIX, Group, parted
from orchestrator.settings.checks import GATEWAY, checked_endpoint_id, checked_gateway_url


class SigningSecret(NamedTuple):
    """What the gateway signs webhooks with; one that was replaced is believed `until`, in epoch seconds."""

    secret: SecretStr
    until: float | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """As the setting has it: whsec_…, or whsec_…@2026-01-31T12:00:00Z. Raises ValueError."""
        secret, at, time = text.rpartition("@")
        if not at or not text.startswith("whsec_"):  # others than the gateway's own may have any letter
            return cls(SecretStr(text))
        until = datetime.fromisoformat(time)
        if not secret or until.tzinfo is None:
            raise ValueError("a time without a time zone")
        return cls(SecretStr(secret), until.timestamp())

    def written(self) -> str:
        """The same text again."""
        secret = self.secret.get_secret_value()
        if self.until is None:
            return secret
        return f"{secret}@{datetime.fromtimestamp(self.until, UTC):%Y-%m-%dT%H:%M:%SZ}"


class Gateway(Group):
    """The gateway, and how its webhooks are believed."""

    gateway_url: str = Field(GATEWAY, description="Base URL of the gateway, with its version.")
    gateway_api_key: SecretStr = Field(SecretStr(""), description="API key of the gateway.")
    webhook_endpoint_id: str | None = Field(
        None, description="UUID of our webhook endpoint at the gateway. Empty: polling only."
    )
    webhook_secrets: tuple[SecretStr, ...] = Field(
        (),
        description="Signing secrets of that endpoint, separated by commas. One that was replaced may have "
        "the time until which it is believed: whsec_new,whsec_old@2026-01-31T12:00:00Z.",
    )

    @field_validator("webhook_secrets", mode="before")
    @classmethod
    def _split_secrets(cls, value: Any) -> Any:
        return parted(value)

    @field_validator("webhook_secrets")
    @classmethod
    def _dated(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        try:
            for one in value:
                SigningSecret.read(one.get_secret_value())
        except ValueError:  # whose words would repeat it
            raise ValueError(
                "has a secret with an @ and no time after it; give whsec_…, or whsec_…@2026-01-31T12:00:00Z"
            ) from None
        return value

    @field_validator("webhook_endpoint_id", mode="before")
    @classmethod
    def _uuid(cls, value: Any) -> Any:
        return checked_endpoint_id(str(value)) if value else None

    @field_validator("gateway_url")
    @classmethod
    def _http(cls, value: str) -> str:
        return checked_gateway_url(value)

    @model_validator(mode="after")
    def _secret_for_endpoint(self) -> Self:
        if self.webhook_endpoint_id and not self.webhook_secrets:
            raise ValueError(
                f"{PREFIX}WEBHOOK_ENDPOINT_ID is set and {PREFIX}WEBHOOK_SECRETS is empty: "
                "every webhook would be refused"
            )
        return self

    @property
    def signing_secrets(self) -> tuple[SigningSecret, ...]:
        """The secrets of webhooks, each with the time until which it is believed, if there is one."""
        return tuple(SigningSecret.read(one.get_secret_value()) for one in self.webhook_secrets)

    @property
    def live_secrets(self) -> tuple[SecretStr, ...]:
        """Those of them that were not replaced."""
        return tuple(one.secret for one in self.signing_secrets if one.until is None)
