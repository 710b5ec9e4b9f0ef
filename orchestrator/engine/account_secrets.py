"""What is secret about an account, as one token: the gateway's key, and what signs its webhooks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import SecretStr

from orchestrator.core.vault import Vault
from orchestrator.errors import SettingError
from orchestrator.gateway.account import Account
from orchestrator.store.accounts import Entry


class Retired(NamedTuple):
    """A signing secret that was replaced, and until when it is believed, in epoch seconds."""

    secret: SecretStr
    until: float


@dataclass(frozen=True, slots=True)
class Secrets:
    """As they were given. Of the default account, what is missing is as the settings say.

    `retired` are signing secrets that the gateway uses no more, each with the moment, in epoch seconds, until
    which it is believed; `begun_at` is when a rotation began that was not finished.
    """

    api_key: SecretStr | None = None
    webhook_secrets: tuple[SecretStr, ...] = ()
    retired: tuple[Retired, ...] = ()
    begun_at: float | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """One account as a process uses it; `problem` says why it cannot be used."""

    id: str
    base_url: str
    api_key: SecretStr = field(default=SecretStr(""))
    webhook_endpoint_id: str | None = None
    webhook_secrets: tuple[SecretStr, ...] = ()
    problem: SettingError | None = None
    retired: tuple[Retired, ...] = ()
    begun_at: float | None = None

    def believed(self, now: float) -> tuple[SecretStr, ...]:
        """What may have signed what comes in at that moment, in epoch seconds."""
        return (*self.webhook_secrets, *(one.secret for one in self.retired if now < one.until))

    def account(self) -> Account:
        """How the gateway is reached. Raises SettingError."""
        if self.problem is not None:
            raise SettingError(self.problem.message, hint=self.problem.hint)
        return Account(self.id, self.base_url, self.api_key, self.webhook_endpoint_id, self.webhook_secrets)


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens what the database says of accounts; what it does not say of the default one is in `default`."""

    vault: Vault = field(repr=False)
    default: Opened

    def __call__(self, entry: Entry) -> Opened:
        """One that cannot be opened is there too, with its problem: what needs it waits."""
        base_url = entry.base_url or self.default.base_url
        try:
            secrets = unsealed(self.vault, entry)
        except SettingError as error:
            return Opened(entry.id, base_url, problem=error)
        if entry.id != self.default.id:
            own = (secrets.api_key or SecretStr(""), entry.webhook_endpoint_id, secrets.webhook_secrets)
            return Opened(entry.id, base_url, *own, retired=secrets.retired, begun_at=secrets.begun_at)
        replaced = {one.secret for one in secrets.retired}
        known = replaced | set(secrets.webhook_secrets)
        return Opened(
            entry.id,
            base_url,
            secrets.api_key or self.default.api_key,
            entry.webhook_endpoint_id or self.default.webhook_endpoint_id,
            # Both: a delivery that was signed before somebody changed the account is believed as well.
            # But for what was replaced since: the settings may go on naming it.
            (*secrets.webhook_secrets, *(one for one in self.default.webhook_secrets if one not in replaced)),
            retired=(*secrets.retired, *(one for one in self.default.retired if one.secret not in known)),
            begun_at=secrets.begun_at,
        )


def sealed(vault: Vault, account_id: str, secrets: Secrets) -> str | None:
    """One token of them. Raises SettingError where there is no key to encrypt with."""
    if secrets == Secrets():
        return None
    key = secrets.api_key.get_secret_value() if secrets.api_key else None
    # Earlier versions read the first two alone, and believe the retired ones for as long as they are here.
    all_of_them = (*secrets.webhook_secrets, *(one.secret for one in secrets.retired))
    found: dict[str, Any] = {
        "api_key": key,
        "webhook_secrets": [one.get_secret_value() for one in all_of_them],
    }
    if secrets.retired:
        found["until"] = [one.until for one in secrets.retired]
    if secrets.begun_at is not None:
        found["begun_at"] = secrets.begun_at
    return vault.seal(_purpose(account_id), json.dumps(found))


def unsealed(vault: Vault, entry: Entry) -> Secrets:
    """What was sealed for this account. Raises SettingError."""
    if entry.secrets is None:
        return Secrets()
    try:
        found = json.loads(vault.open(_purpose(entry.id), entry.secrets))
    except SettingError as error:
        raise SettingError(f"account {entry.name}: {error.message}", hint=error.hint) from None
    key = found["api_key"]
    signing, until = tuple(SecretStr(one) for one in found["webhook_secrets"]), found.get("until", [])
    live = len(signing) - len(until)
    retired = tuple(Retired(*one) for one in zip(signing[live:], until, strict=True))
    return Secrets(SecretStr(key) if key else None, signing[:live], retired, found.get("begun_at"))


def _purpose(account_id: str) -> str:
    return f"account {account_id}"
