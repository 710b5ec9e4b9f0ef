"""The reference page of the metrics, as they are declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orchestrator.engine.alarms import MOST_TOLD
from orchestrator.engine.gauges import MOST_CHANNELS
from orchestrator.metrics import DECLARED, Declared, Kind

Table = Callable[[tuple[str, ...], Iterable[tuple[str, ...]]], str]

_INTRO = (
    "Each process serves them at `/metrics` of its [`ORCHESTRATOR_METRICS_ADDRESS`](settings.md), in the "
    "text format of Prometheus. [How to monitor with them](../how-to/monitor.md)."
)
_OF_PROCESSES = (
    "Each process counts what it does itself: add them up over all processes, with `sum(rate(…))`. A "
    "histogram has `_bucket`, `_sum` and `_count`."
)
_OF_ROWS = (
    "Read from the database every fifteen seconds, by `web` and `up` only. Every `web` reports the same, "
    "so take the `max`, never the sum. Numbers older than 60 s are not reported. The cost of reading "
    "hardly grows with the number of jobs, because counts stop at a limit."
)
_OF_LIBRARY = (
    "`process_*` (memory, processor time, open files, start) and `python_info`, as the Prometheus library "
    "has them for every Python process."
)
_LABELS = (
    "No label has a value that a caller chose: no job, no model, no tenant. `destination` and `account` are "
    "names that an operator configured; `route` is the API's own, with placeholders for parameters; "
    f"`provider` is the gateway's word, of {MOST_CHANNELS} at most; of each kind of alarm {MOST_TOLD} are "
    "told apart."
)


def parts(table: Table) -> list[str]:
    """What stands on the page below its title."""
    own = [one for one in DECLARED.values() if not one.rows]
    return [
        _INTRO,
        _LABELS,
        "## From each process",
        _OF_PROCESSES,
        _listed(table, own),
        "## From the database",
        _OF_ROWS,
        _listed(table, [one for one in DECLARED.values() if one.rows]),
        "## From the library",
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
