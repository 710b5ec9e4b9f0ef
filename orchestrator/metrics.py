"""Every metric, declared once: name, type, labels, unit, meaning. Nothing else is measured by our own code.

Counters and durations are of one process each, and Prometheus adds them up. What is read from rows is the
same whoever reads it: `web` and `up` alone tell it, so take the `max` of it. No label holds what a stranger
may choose: states, kinds, results, our own routes, and names that an operator configured.

The reference page, the dashboard and the alerts in `deploy/` are compared with this file by house rules.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

PREFIX = "orchestrator"
STALE_AFTER = 60.0  # seconds; a number read from rows longer ago is not told any more

# Upper ends in seconds: of what a database or a page takes, of calls to others, of hours of waiting.
QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CALLS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
WAITS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 45.0, 90.0, 180.0, 360.0, 900.0, 3600.0, 21600.0)


class Kind(StrEnum):
    """What Prometheus takes it for."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric. `name` is as queries have it; `rows`: read from rows, the same from every process."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    unit: str
    meaning: str
    rows: bool = False


disable_created_metrics()  # type: ignore[no-untyped-call]  # or each counter has a second series, of when it began
REGISTRY = CollectorRegistry(auto_describe=False)
DECLARED: dict[str, Declared] = {}
_Metric = TypeVar("_Metric", bound=MetricWrapperBase)


def _declare(name: str, kind: Kind, labels: Sequence[str], unit: str, meaning: str, *, rows: bool) -> str:
    full = f"{PREFIX}_{name}"
    DECLARED[full] = Declared(full, kind, tuple(labels), unit, meaning, rows)
    return full


def _counter(name: str, meaning: str, *labels: str, unit: str = "") -> Counter:
    full = _declare(f"{name}_total", Kind.COUNTER, labels, unit, meaning, rows=False)
    return Counter(full, meaning, labels, registry=REGISTRY)


def _seconds(name: str, meaning: str, *labels: str, buckets: Sequence[float]) -> Histogram:
    full = _declare(f"{name}_seconds", Kind.HISTOGRAM, labels, "seconds", meaning, rows=False)
    return Histogram(full, meaning, labels, registry=REGISTRY, buckets=buckets)


def _gauge(name: str, meaning: str, *labels: str, unit: str = "") -> Gauge:
    return Gauge(
        _declare(name, Kind.GAUGE, labels, unit, meaning, rows=False), meaning, labels, registry=REGISTRY
    )


def _of_rows(name: str, meaning: str, *labels: str, unit: str = "") -> Declared:
    return DECLARED[_declare(name, Kind.GAUGE, labels, unit, meaning, rows=True)]


# The process

BUILD = _gauge("build_info", "1 for each running process", "version", "python", "role")
LOG_EVENTS = _counter(
    "log_events", "log lines by the name of their event, written or below the level", "event"
)
TRANSACTIONS = _seconds("transaction", "a transaction: `read`, `write`, or `lease`", "mode", buckets=QUICK)
MESSAGES = _counter(
    "messages", "messages to workers: `sent`, or `failed` if no broker accepted it", "task", "result"
)
SWEEPS = _counter("sweeps", "searches for work that is due although no message says so")

# Jobs

ACCEPTED = _counter("jobs_accepted", "jobs that were submitted; those of the command line are not counted")
MOVED = _counter(
    "jobs_moved", "moves of jobs between states, by the source that caused it", "was", "now", "source"
)
ENDED = _counter("jobs_ended", "jobs that ended, by whose fault a bad end was", "state", "blame", "source")
FAULTS = _counter("faults", "faults that jobs met, whether they ended well or not", "fault")
CLASHES = _counter("jobs_clashes", "observations that contradicted a settled job", "source")
JOBS = _seconds("job", "from accepted to ended", "state", buckets=WAITS)
END_TO_KNOWN = _seconds(
    "end_to_known",
    "from the end of a job, if the gateway says when it was, until we knew",
    "source",
    buckets=WAITS,
)

# The gateway

CREATES = _seconds("create", "a create call, by its result", "result", buckets=CALLS)
LOOKS = _counter("looks", "looks at jobs, by why they were sent then and by their result", "why", "result")
LOOK_CALLS = _seconds("look_call", "a GET of one job, whatever the answer", buckets=CALLS)
LISTS = _counter("lists", "lists of recent jobs that were requested", "result")
DRIFT = _counter("drift", "things that were new in the gateway's answers", "kind", "place")
WEBHOOKS = _seconds(
    "webhook", "receiving a webhook until it is committed, by what became of it", "fate", buckets=QUICK
)
REJECTED = _counter("webhooks_rejected", "webhooks that were refused, by reason", "reason")

# Hand-offs

HAND_OFFS = _counter("hand_offs", "finished attempts at hand-offs", "kind", "destination", "result")
HAND_OFF_SECONDS = _seconds("hand_off", "one attempt at a hand-off", "kind", buckets=CALLS)
KNOWN_TO_HANDED_OFF = _seconds(
    "known_to_handed_off", "from when we knew a job's end until a hand-off was done", "kind", buckets=WAITS
)
ARCHIVED = _counter("archived_bytes", "bytes written to the archive", unit="bytes")

# The API, the dashboard and outputs

REQUESTS = _seconds(
    "request", "a request, until its answer began", "method", "route", "status", buckets=QUICK
)

# Looks sent and saved: counted once for each job, some time after its end

LEDGER_JOBS = _counter("ledger_jobs", "jobs in the ledger")
LEDGER_LOOKS = _counter(
    "ledger_looks",
    "requests about these jobs: `sent` one by one, `listed`, or as many as `guidance` alone would have sent",
    "kind",
)
LEDGER_LAG = _counter(
    "ledger_lag_seconds",
    "lag of these jobs: as it `was`, or as it would have been by `guidance` alone",
    "kind",
    unit="seconds",
)
LEDGER_AWAITED = _counter("ledger_awaited", "ends for which a webhook was expected")
LEDGER_RESCUED = _counter("ledger_rescued", "those of them that a look found first")

# Read from rows

OPEN = _of_rows(
    "jobs_open",
    "jobs by what they wait for: a `create`, its answer (`create_call`), a `look`, or a `person`; counted "
    "up to 100,000 each",
    "waits_for",
)
DUE = _of_rows("due", "work that is due and not being done, counted up to 1,000 in each of 20 lines", "task")
DUE_LAG = _of_rows("due_lag_seconds", "how long the oldest of it has been due", "task", unit="seconds")
LEASES = _of_rows("leases", "work being done right now, by workers with a heartbeat", "kind")
OWED = _of_rows("hand_offs_owed", "hand-offs that wait, counted up to 100,000", "destination")
DEAD = _of_rows("hand_offs_dead", "hand-offs that were given up, counted up to 100,000", "destination")
SHUT = _of_rows(
    "destination_shut", "1 for a destination that gets no attempts at the moment", "destination", "why"
)
WORKERS = _of_rows("workers", "workers with a heartbeat")
PULSES = _of_rows("pulse_age_seconds", "since something periodic last happened", "pulse", unit="seconds")
ALARMS = _of_rows("alarm", "1 while an alarm rings", "alarm", "about")
HOOKS = _of_rows(
    "hook_health", "1 for the current health of an account's webhooks", "account", "provider", "health"
)
ARCHIVE_BYTES = _of_rows("archive_bytes", "what the archive holds, counted every ten minutes", unit="bytes")
ARCHIVE_FILES = _of_rows("archive_files", "files in the archive, counted every ten minutes")
ROWS_AGE = _of_rows(
    "rows_age_seconds", "since these numbers were read; after 60 none is reported", unit="seconds"
)

# From the Prometheus library itself: `process_*` of the system, `python_info`.
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

Reading = tuple[Declared, tuple[str, ...], float]


class Rows(Collector):
    """What was last read from rows, as long as it is fresh. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._taken: tuple[float, list[Reading]] | None = None

    def take(self, readings: Iterable[Reading]) -> None:
        """Tell these from now on."""
        self._taken = self._clock(), list(readings)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Nothing where it is too old: a number that is not true any more alarms nobody."""
        if self._taken is None:
            return
        at, readings = self._taken
        age = self._clock() - at
        if age > STALE_AFTER:
            return
        families: dict[str, GaugeMetricFamily] = {}
        for declared, labels, value in [*readings, (ROWS_AGE, (), age)]:
            name = declared.name
            if name not in families:
                families[name] = GaugeMetricFamily(name, declared.meaning, labels=declared.labels)
            families[name].add_metric(labels, value)
        yield from families.values()


def readings(of: Declared, values: Mapping[str, float]) -> list[Reading]:
    """Of a metric with one label, by its value."""
    return [(of, (name,), value) for name, value in values.items()]


def identify(version: str, role: str) -> None:
    """Say which process this is."""
    BUILD.clear()
    BUILD.labels(version, platform.python_version(), role).set(1)
