"""The gateway's control routes for a command: their key is in no setting, since no process needs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator import wiring
from orchestrator.engine.account_secrets import Opened
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import RequestError, SettingError
from orchestrator.gateway.endpoints import Management
from orchestrator.settings import Settings

KEY_VARIABLE = "PHASEO_MANAGEMENT_KEY"


@contextmanager
def management_at(
    settings: Settings, opened: Opened, variable: str = KEY_VARIABLE
) -> Iterator[tuple[Management, HttpLoop] | None]:
    """A client for an account's gateway, with the key in that variable; None where there is none.

    Raises SettingError for what can be no key, and RequestError where the usual key would go to another
    gateway than that of the settings, which may be anybody's.
    """
    key = wiring.environment().get(variable, "")
    if not key:
        yield None
        return
    if variable == KEY_VARIABLE and opened.base_url != settings.gateway_url:
        raise RequestError(
            f"{KEY_VARIABLE} is for {settings.gateway_url}, and this account is at {opened.base_url}",
            hint="put a management key of its own into a variable, and name that: `orchestrator webhooks "
            "status --tenant T --account A --management-key-env VARIABLE`",
        )
    try:
        management, http = wiring.management(settings, opened.id, opened.base_url, key), HttpLoop()
    except SettingError:  # which takes it for the account's own key
        raise SettingError(
            f"{variable} has characters that no key has",
            hint="export the management key as the gateway's console shows it, without quotes or blanks",
        ) from None
    try:
        yield management, http
    finally:
        http.stop(management.aclose)
