"""Where a webhook endpoint's id and signing secrets are kept: sealed in the database, or in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from pydantic import SecretStr

from orchestrator.core.vault import Vault
from orchestrator.engine.account_secrets import Retired, Secrets, sealed, unsealed
from orchestrator.errors import NotAllowed, NotFound
from orchestrator.store import accounts
from orchestrator.store.accounts import Entry
from orchestrator.store.database import Store, Transaction

# Seconds that a replaced secret is believed. The gateway's four attempts at one delivery are over after
# 36 minutes and four time-outs (contract 4.4); it looks the secret up for each (4.2), so this is ample.
BELIEVED_FOR = 2_400.0


def being_replaced() -> NotAllowed:
    """What to say to the second of two who do it at once."""
    return NotAllowed(
        "somebody else is changing the webhook endpoint or its secret at this moment",
        hint="wait until that is done, then see `orchestrator webhooks status`: once may be enough",
    )


class Keeping(Protocol):
    """Keeps what the gateway tells once. `where` names the place for people."""

    where: str

    def begin(self) -> None:
        """Prove that this can be written, by noting that a secret is about to be replaced. Raises."""

    def forget(self) -> None:
        """Take that note back: nothing was replaced. One from before stays: then something may have been."""

    def keep(self, endpoint_id: str, secret: SecretStr) -> None:
        """Keep both; what was live at the beginning is believed a while longer."""


class InDatabase:
    """With the account, encrypted: running processes notice within two seconds."""

    where = "the database, encrypted"

    def __init__(self, store: Store, vault: Vault, entry: Entry, given: Sequence[SecretStr] = ()) -> None:
        """`given` are the secrets that settings name beside those of the database."""
        self._store = store
        self._vault = vault
        self._of = (entry.tenant_id, entry.name)
        self._given = tuple(given)
        self._replaced: tuple[SecretStr, ...] = ()
        self._noted_before: float | None = None

    def begin(self) -> None:
        """Note it. Raises SettingError where there is no key to encrypt with, and NotFound."""
        with self._store.write() as tx:
            entry, secrets = self._read(tx)
            # Not those that somebody else brings meanwhile: the gateway may sign with them by then.
            self._replaced = (*secrets.webhook_secrets, *self._given)
            self._noted_before = secrets.begun_at
            self._write(tx, entry, replace(secrets, begun_at=secrets.begun_at or tx.now))

    def forget(self) -> None:
        """Take the note back, and leave there what was noted before."""
        with self._store.write() as tx:
            entry, secrets = self._read(tx)
            self._write(tx, entry, replace(secrets, begun_at=self._noted_before))

    def keep(self, endpoint_id: str, secret: SecretStr) -> None:
        """Keep both in one transaction."""
        with self._store.write() as tx:
            entry, secrets = self._read(tx)
            others = [one for one in secrets.webhook_secrets if one not in self._replaced]
            live = tuple(dict.fromkeys((secret, *others)))
            retired = [one for one in self._retired(secrets, tx.now) if one.secret not in live]
            changed = replace(secrets, webhook_secrets=live, retired=tuple(retired), begun_at=None)
            self._write(tx, replace(entry, webhook_endpoint_id=endpoint_id), changed)

    def _retired(self, secrets: Secrets, now: float) -> list[Retired]:
        """Those replaced now, and earlier ones: until their time, or for as long as settings name them."""
        known = {one.secret: one.until for one in secrets.retired}
        earlier = [one for one in secrets.retired if one.until > now or one.secret in self._given]
        new = [Retired(one, now + BELIEVED_FOR) for one in self._replaced if one not in known]
        return [*dict.fromkeys((*new, *earlier))]

    def _read(self, tx: Transaction) -> tuple[Entry, Secrets]:
        tenant_id, name = self._of
        entry = accounts.named(tx, tenant_id, name)
        if entry is None:
            raise NotFound(
                f"tenant {tenant_id} has no account {name}", hint="`orchestrator accounts list` shows all"
            )
        return entry, unsealed(self._vault, entry)

    def _write(self, tx: Transaction, entry: Entry, secrets: Secrets) -> None:
        changes = {
            "secrets": sealed(self._vault, entry.id, secrets),
            "webhook_endpoint_id": entry.webhook_endpoint_id,
        }
        accounts.change(tx, entry.id, changes)


class InMemory:
    """Nowhere: a person puts it where it belongs."""

    where = "nowhere: it is printed"

    def __init__(self) -> None:
        self.endpoint_id, self.secret = "", SecretStr("")

    def begin(self) -> None:
        """There is nothing to prove."""

    def forget(self) -> None:
        """There is nothing to take back."""

    def keep(self, endpoint_id: str, secret: SecretStr) -> None:
        """Until it is printed."""
        self.endpoint_id, self.secret = endpoint_id, secret
