"""Which limits are set on what a tenant may have under way; nothing where none is."""

from __future__ import annotations

from contextlib import closing

from orchestrator import wiring
from orchestrator.cli.findings import Finding
from orchestrator.errors import OrchestratorError
from orchestrator.settings import Settings
from orchestrator.store import migrate, tenants
from orchestrator.store.database import sqlite_path
from orchestrator.store.tenants import Tenant


def limits(settings: Settings) -> list[Finding]:
    """Those of the settings, and those that tenants have of their own."""
    days = settings.spend_window_days
    found = [
        (f"tenant {one.id}", _words(one.max_open_jobs, one.spend_cap_usd, days)) for one in _own(settings)
    ]
    if settings.max_open_jobs or settings.spend_cap_usd:
        found.insert(0, ("each tenant", _words(settings.max_open_jobs, settings.spend_cap_usd, days)))
    return [Finding("ok", "limits", "; ".join(f"{who}: {what}" for who, what in found))] if found else []


def _words(open_jobs: int | None, cap: float | None, days: float) -> str:
    said = []
    if open_jobs is not None:
        said.append(f"at most {open_jobs} open jobs" if open_jobs else "any number of open jobs")
    if cap is not None:
        said.append(f"at most US$ {cap:.2f} in {days:g} days" if cap else "any cost")
    return ", ".join(said)


def _own(settings: Settings) -> list[Tenant]:
    """Nothing where the database cannot be asked: its own check says why."""
    try:
        path = sqlite_path(settings.resolved_database_url)
        if path is not None and not path.exists():  # asking would make it
            return []
        with closing(wiring.open_store(settings)) as store:
            if not migrate.version(store).current:
                return []
            with store.read() as tx:
                return tenants.with_limits(tx)
    except OrchestratorError:
        return []
