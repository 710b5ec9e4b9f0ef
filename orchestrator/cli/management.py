"""The gateway's control routes for a command: their key is in no setting, since no process needs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator import wiring
from orchestrator.engine.account_secrets import Opened
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.gateway.endpoints import Management
from orchestrator.settings import Settings

KEY_VARIABLE = "PHASEO_MANAGEMENT_KEY"


@contextmanager
def management_at(
    settings: Settings, opened: Opened, variable: str = KEY_VARIABLE
) -> Iterator[tuple[Management, HttpLoop] | None]:
    """A client for an account's gateway, with the key in that variable; None where there is none.

    Raises SettingError for what can be no key.
    """
    key = wiring.environment().get(variable, "")
    if not key:
        yield None
        return
    management, http = wiring.management(settings, opened.id, opened.base_url, key), HttpLoop()
    try:
        yield management, http
    finally:
        http.stop(management.aclose)
