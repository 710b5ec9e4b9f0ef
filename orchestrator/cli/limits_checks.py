"""Which limits are set on what a tenant may have under way; nothing where none is."""

from __future__ import annotations

from orchestrator.cli.findings import Finding
from orchestrator.cli.looking import Rows
from orchestrator.settings import Settings
from orchestrator.store import tenants


def limits(settings: Settings, rows: Rows) -> list[Finding]:
    """Those of the settings, and those that tenants have of their own."""
    days = settings.spend_window_days
    found = [
        (f"tenant {one.id}", _words(one.max_open_jobs, one.spend_cap_usd, days))
        for one in rows.read(tenants.with_limits)
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
