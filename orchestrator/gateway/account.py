"""How we reach a gateway."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr

from orchestrator.errors import SettingError

_KEY = re.compile(r"[\x21-\x7e]+\Z")


@dataclass(frozen=True, slots=True)
class Account:
    """One gateway account: where it is, our key, and the webhook endpoint with its live secrets.

    Raises SettingError for a URL or a key that could never work. The key is checked here because
    libraries quote an illegal header value, the key itself, in their errors.
    """

    id: str
    base_url: str
    api_key: SecretStr
    webhook_endpoint_id: str | None
    webhook_secrets: tuple[SecretStr, ...]

    def __post_init__(self) -> None:
        _check_url(self.id, self.base_url)
        if not _KEY.match(self.api_key.get_secret_value()):
            raise SettingError(f"the API key of account {self.id} is empty or has characters no key has")


def _check_url(account: str, url: str) -> None:
    # A URL may hold a password: it is not repeated in the message.
    if not _plain(url):
        raise SettingError(
            f"the gateway URL of account {account} is not a plain http or https URL",
            hint="it looks like https://api.phaseo.app/v1",
        )


def _plain(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = url.startswith(("http://", "https://")) and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and parts.username is None and not parts.query and not parts.fragment
