"""Where the processes of a scaled deployment leave messages for each other."""

from __future__ import annotations

from orchestrator.errors import SettingError
from orchestrator.settings import Settings


def broker_url(settings: Settings) -> str:
    """The broker. Raises SettingError where none is set."""
    given = settings.broker_url.get_secret_value()
    if not given:
        raise SettingError(
            "there is no broker: several processes need one",
            hint="set ORCHESTRATOR_BROKER_URL to redis://host:6379/0; `orchestrator up` needs none",
        )
    return given
