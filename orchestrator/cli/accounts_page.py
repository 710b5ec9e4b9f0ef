"""Accounts as a person may see them: where they are, what they have, and no secret."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator import wiring
from orchestrator.cli.screen import print_table, text
from orchestrator.engine.account_secrets import Opened
from orchestrator.engine.destination_settings import MASK
from orchestrator.settings import Settings
from orchestrator.store import accounts
from orchestrator.store.accounts import Entry
from orchestrator.store.database import Store


@dataclass(frozen=True, slots=True)
class Shown:
    """One account. `webhook_url` is what is registered at the gateway; `problem` why it cannot be used."""

    id: str
    tenant: str
    name: str
    base_url: str
    api_key: str | None
    webhook_endpoint_id: str | None
    webhook_secrets: int
    webhook_url: str
    problem: str | None


def every(settings: Settings, store: Store) -> list[Shown]:
    """All accounts, by tenant."""
    open_one = wiring.opener(settings)
    with store.read() as tx:
        return [_shown(settings, one, open_one(one)) for one in accounts.every(tx)]


def print_all(found: list[Shown]) -> None:
    """One line for each, and below those that cannot be used why."""
    columns = ("tenant", "name", "gateway", "key", "secrets", "webhooks arrive at")
    print_table(columns, [_row(one) for one in found], right=("secrets",), fold=True)
    for one in found:
        if one.problem:
            print(f"{one.tenant}/{one.name}: {text(one.problem)}")


def _shown(settings: Settings, entry: Entry, opened: Opened) -> Shown:
    return Shown(
        entry.id,
        entry.tenant_id,
        entry.name,
        opened.base_url,
        MASK if opened.api_key.get_secret_value() else None,
        opened.webhook_endpoint_id,
        len(opened.webhook_secrets),
        f"{settings.receiver_url}/webhooks/gateway/{entry.id}",
        f"{opened.problem.message} ({opened.problem.hint})" if opened.problem else None,
    )


def _row(one: Shown) -> tuple[str, str, str, str, int, str]:
    return (one.tenant, one.name, one.base_url, one.api_key or "none", one.webhook_secrets, one.webhook_url)
