"""Whether each gateway account can be used: its secrets opened, its key taken by the gateway."""

from __future__ import annotations

from orchestrator import wiring
from orchestrator.cli.catalogued import existing_store
from orchestrator.cli.findings import Finding
from orchestrator.engine.account_secrets import Opened
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import OrchestratorError, StoreError
from orchestrator.settings import Settings
from orchestrator.store import accounts
from orchestrator.store.accounts import Entry
from orchestrator.store.schema import DEFAULT


def gateways(settings: Settings) -> list[Finding]:
    """One for the default account, under the name gateway, and one for each of a tenant's own."""
    opened = wiring.opener(settings)
    found = [(_what(one), opened(one)) for one in _entries(settings)]
    return [_finding(settings, what, one) for what, one in found or [("gateway", opened.default)]]


def _entries(settings: Settings) -> list[Entry]:
    try:
        with existing_store(settings) as store:
            if store is None:
                return []
            with store.read() as tx:
                found = accounts.every(tx)
    except StoreError:
        return []  # said by the check of the database
    return sorted(found, key=lambda one: one.id != DEFAULT)


def _what(entry: Entry) -> str:
    return "gateway" if entry.id == DEFAULT else f"account {entry.tenant_id}/{entry.name}"


def _finding(settings: Settings, what: str, opened: Opened) -> Finding:
    if opened.problem is None and not opened.api_key.get_secret_value():
        found = f"not asked: there is no key for {opened.base_url}"
        return Finding(
            "warn", what, found, "set ORCHESTRATOR_GATEWAY_API_KEY; `orchestrator demo` needs none"
        )
    try:
        _ask_once(settings, opened)
    except OrchestratorError as error:
        return Finding("fail", what, f"{opened.base_url}: {error.message}", error.hint)
    return Finding("ok", what, f"{opened.base_url} answers and takes the key")


def _ask_once(settings: Settings, opened: Opened) -> None:
    gateway, http = wiring.connected(settings, opened.account()), HttpLoop()
    try:
        http.run(gateway.list_recent(limit=1))
    finally:
        http.stop(gateway.aclose)
