"""Adding, changing and removing gateway accounts by command."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import SecretStr

from orchestrator.core.vault import Vault
from orchestrator.engine.account_secrets import Secrets, sealed, unsealed
from orchestrator.engine.destination_settings import NAME, WHAT_NAMES_ARE
from orchestrator.errors import NotAllowed, NotFound, RequestError, SettingError
from orchestrator.gateway.account import Account
from orchestrator.settings import checked_endpoint_id, checked_gateway_url
from orchestrator.store import accounts
from orchestrator.store.accounts import Entry
from orchestrator.store.database import Store
from orchestrator.store.schema import DEFAULT

COUNTED_TO = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is said of an account; None and nothing stay as they are.

    New signing secrets come before those that are kept, unless they are the `only` ones.
    """

    base_url: str | None = None
    api_key: SecretStr | None = None
    webhook_endpoint_id: str | None = None
    webhook_secrets: tuple[SecretStr, ...] = ()
    only: bool = False


def add(store: Store, vault: Vault, account_id: str, tenant_id: str, name: str, wanted: Wanted) -> Entry:
    """Keep a new account. Raises RequestError, NotAllowed, NotFound and SettingError."""
    if not re.match(NAME, name):
        raise RequestError(f"{name!r} cannot be the name of an account", hint=WHAT_NAMES_ARE)
    if wanted.api_key is None:
        raise RequestError("an account has a key of the gateway", hint="give --api-key-env, or pipe it in")
    entry = _merged(vault, Entry(account_id, tenant_id, name, None, None, None, None), wanted)
    with store.write() as tx:
        if not accounts.add_once(tx, entry):
            raise NotAllowed(
                f"tenant {tenant_id} has an account {name} already",
                hint="`orchestrator accounts change` changes it",
            )
    return entry


def change(store: Store, vault: Vault, tenant_id: str, name: str, wanted: Wanted) -> Entry:
    """Change what is said of it; running processes notice within two seconds. Raises as `add` does."""
    with store.write() as tx:
        entry = _merged(vault, _required(accounts.named(tx, tenant_id, name), tenant_id, name), wanted)
        changed = ("base_url", "secrets", "webhook_endpoint_id")
        accounts.change(tx, entry.id, {column: getattr(entry, column) for column in changed})
    return entry


def remove(store: Store, tenant_id: str, name: str) -> None:
    """Forget an account and its secrets. Raises NotFound, and NotAllowed while jobs need it."""
    with store.write() as tx:
        entry = _required(accounts.named(tx, tenant_id, name), tenant_id, name)
        if entry.id == DEFAULT:
            raise NotAllowed(
                "the default account stays: it is whose who have none",
                hint="`orchestrator accounts change` gives it another key",
            )
        needed = accounts.needed_by(tx, entry, limit=COUNTED_TO)
        if needed:
            many = f"{needed} or more" if needed == COUNTED_TO else str(needed)
            raise NotAllowed(
                f"jobs that are not over need the account {name}: {many}",
                hint="let them end, or cancel them; without the account they could not be followed",
            )
        accounts.remove(tx, entry.id)


def _merged(vault: Vault, entry: Entry, wanted: Wanted) -> Entry:
    """The entry with what is wanted written over it. Raises RequestError where that cannot work."""
    before = _before(vault, entry, wanted)
    kept, retired = ((), ()) if wanted.only else (before.webhook_secrets, before.retired)
    signing = tuple(dict.fromkeys((*wanted.webhook_secrets, *kept)))
    retired = tuple(one for one in retired if one.secret not in signing)
    base_url = _checked("the base URL", checked_gateway_url, wanted.base_url) or entry.base_url
    endpoint = _checked("the endpoint", checked_endpoint_id, wanted.webhook_endpoint_id)
    endpoint = endpoint or entry.webhook_endpoint_id
    if endpoint and not signing and entry.id != DEFAULT:
        raise RequestError(
            "an endpoint without a signing secret: every webhook would be refused",
            hint="give --webhook-secret-env",
        )
    key = wanted.api_key or before.api_key
    if key is not None:
        Account(entry.name, "", key, None, ())  # raises for a key that could never be sent
    token = sealed(vault, entry.id, Secrets(key, signing, retired, before.begun_at))
    return replace(entry, base_url=base_url, secrets=token, webhook_endpoint_id=endpoint)


def _before(vault: Vault, entry: Entry, wanted: Wanted) -> Secrets:
    try:
        return unsealed(vault, entry)
    except SettingError:
        if wanted.api_key is None:
            raise
        return Secrets()  # what nobody can read is given anew


def _checked(what: str, check: Callable[[str], str], value: str | None) -> str | None:
    try:
        return check(value) if value else None
    except ValueError as error:
        raise RequestError(f"{what} {error}") from None


def _required(entry: Entry | None, tenant_id: str, name: str) -> Entry:
    if entry is None:
        raise NotFound(
            f"tenant {tenant_id} has no account {name}", hint="`orchestrator accounts list` shows all"
        )
    return entry
