"""The reference page of the metrics, as they are declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orchestrator.metrics import DECLARED, Declared, Kind

Table = Callable[[tuple[str, ...], Iterable[tuple[str, ...]]], str]

_INTRO = (
    "Each process tells them at `/metrics` of its [`ORCHESTRATOR_METRICS_ADDRESS`](settings.md), in the text "
    "format of Prometheus. [How to watch with them](../how-to/monitor.md)."
)
_OF_PROCESSES = (
    "Each process counts what it does itself: add them up over all processes, as `sum(rate(…))` does. A "
    "histogram has `_bucket`, `_sum` and `_count`."
)
_OF_ROWS = (
    "Read from the database every fifteen seconds, and told by `web` and `up` alone. Each of several `web` "
    "tells the same: take the `max` of them, never the sum. None is told once it was read over 60 s ago. "
    "What a reading costs does not grow with the number of jobs for long: counts end at a number."
)
_OF_LIBRARY = (
    "`process_*` (memory, processor time, open files, start) and `python_info`, as the Prometheus library "
    "has them for every Python process."
)
_LABELS = (
    "No label holds what a caller chose: no job, no model, no tenant. `destination` and `account` are names "
    "that an operator configured; `route` is the API's own, with its parameters unfilled."
)


def parts(table: Table) -> list[str]:
    """What stands on the page below its title."""
    own = [one for one in DECLARED.values() if not one.rows]
    return [
        _INTRO,
        _LABELS,
        "## Of each process",
        _OF_PROCESSES,
        _listed(table, own),
        "## Of the rows",
        _OF_ROWS,
        _listed(table, [one for one in DECLARED.values() if one.rows]),
        "## Of the library",
        _OF_LIBRARY,
    ]


def _listed(table: Table, some: Iterable[Declared]) -> str:
    heading = ("name", "type", "labels", "unit", "meaning")
    return table(
        heading, [(f"`{one.name}`", one.kind, _labels(one), _unit(one), one.meaning) for one in some]
    )


def _labels(one: Declared) -> str:
    return ", ".join(f"`{label}`" for label in one.labels)


def _unit(one: Declared) -> str:
    return one.unit or ("" if one.kind is Kind.GAUGE else "number")
