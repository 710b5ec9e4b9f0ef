"""An installation that keeps no outputs, and only tells: what can be a destination there, and what cannot."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.core.routes import Route
from orchestrator.errors import RequestError, SettingError

WHY = "outputs are not kept here (ORCHESTRATOR_KEEP_OUTPUTS is false)"


def why_not(route: Route) -> SettingError | None:
    """What is wrong with a destination of this route; None where it is only told something."""
    if not route.brings_files:
        return None
    return SettingError(
        f"the destination {route.destination} is to be brought files, and {WHY}",
        hint='let it be told where outputs are, by `deliver = "link"` in the file or `--deliver link`; or '
        "leave `completed` out of its outcomes; or set ORCHESTRATOR_KEEP_OUTPUTS=true",
    )


def require_told_only(routes: Iterable[Route]) -> None:
    """Raise SettingError for the first destination that files would have to be brought to."""
    for route in routes:
        if error := why_not(route):
            raise error


def require_askable(routes: Iterable[Route]) -> None:
    """Raise RequestError where a caller wants files brought somewhere."""
    for route in routes:
        if route.brings_files:
            raise RequestError(
                f"nothing can be copied to the destination {route.destination!r}: {WHY}",
                hint="let it have links instead: it is told where the gateway has the outputs",
            )
