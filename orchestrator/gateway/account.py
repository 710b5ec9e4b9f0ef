"""How we reach a gateway."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import SecretStr

from orchestrator.errors import SettingError

_KEY = re.compile(r"[\x21-\x7e]+\Z")


@dataclass(frozen=True, slots=True)
class Account:
    """One gateway account: where it is, our key, and the webhook endpoint with its live secrets.

    Raises SettingError for a key that could never be sent: libraries quote an illegal header value, the
    key itself, in their errors. `base_url` was checked with the settings.
    """

    id: str
    base_url: str
    api_key: SecretStr
    webhook_endpoint_id: str | None
    webhook_secrets: tuple[SecretStr, ...]

    def __post_init__(self) -> None:
        if not _KEY.match(self.api_key.get_secret_value()):
            raise SettingError(
                f"the API key of account {self.id} is empty or has characters no key has",
                hint="set ORCHESTRATOR_GATEWAY_API_KEY, or `orchestrator accounts change` gives it another",
            )
