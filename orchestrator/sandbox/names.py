"""Switches that name a row of some table: is there such a row?"""

from __future__ import annotations

from orchestrator.sandbox.content_errors import CONTENT_ERRORS
from orchestrator.sandbox.create_errors import CREATE_ERRORS
from orchestrator.sandbox.profiles import PROFILES
from orchestrator.sandbox.switches import JobSwitches, UnknownSwitch


def check_names(switches: JobSwitches) -> None:
    """Raises UnknownSwitch for a provider or an error that does not exist."""
    tables = {"provider": [*PROFILES], "create_error": [*CREATE_ERRORS], "content_error": [*CONTENT_ERRORS]}
    for name, table in tables.items():
        value = getattr(switches, name)
        if value is not None and value not in table:
            raise UnknownSwitch(
                f"sandbox switch {name!r} cannot be {value!r}; it takes one of {', '.join(table)}."
            )
