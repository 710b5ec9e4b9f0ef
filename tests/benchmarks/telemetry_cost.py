"""What metrics and traces cost a job: processor time of this process from submit to hand-off, on and off.

`python -m tests.benchmarks.telemetry_cost`: the use-cases of one process on SQLite against the sandbox, with
traces going to a collector in a process of its own. Batches with nothing, with metrics, and with both come in
turn, so that all see the same machine; prints the median of each in milliseconds a job.
"""

import argparse
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

from prometheus_client import Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from orchestrator.otlp import Spans
from tests.integration.engine.harness import Engine
from tests.sandbox.harness import Sandbox

COLLECTOR = """
import time
from tests.acceptance.collector import collecting
with collecting() as collector:
    print(collector.url, flush=True)
    time.sleep(1e9)
"""


@contextmanager
def without_metrics() -> Iterator[None]:
    """As if nothing were counted."""

    def nothing(self: MetricWrapperBase, *_: Any, **__: Any) -> MetricWrapperBase:
        return self

    with (
        mock.patch.object(MetricWrapperBase, "labels", nothing),
        mock.patch.object(Counter, "inc", nothing),
        mock.patch.object(Histogram, "observe", nothing),
    ):
        yield


@contextmanager
def collecting() -> Iterator[str]:
    """The URL of a collector that costs this process nothing but what it is sent."""
    child = subprocess.Popen([sys.executable, "-c", COLLECTOR], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    try:
        yield child.stdout.readline().strip()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def batch(engine: Engine, count: int) -> float:
    """Milliseconds of processor time for each of so many jobs."""
    began = time.process_time()
    for _ in range(count):
        job_id = engine.created()
        engine.look_when_due(job_id)
        engine.hand_off_all()
    return 1000 * (time.process_time() - began) / count


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--jobs", type=int, default=20)
    options = parser.parse_args()
    logging.getLogger().addHandler(logging.NullHandler())
    sandbox = Sandbox()
    took: dict[str, list[float]] = {"nothing": [], "metrics": [], "metrics and traces": []}
    with collecting() as url, tempfile.TemporaryDirectory() as folder:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
        engine = Engine(Path(folder), sandbox.url)
        spans = Spans({"service.name": "benchmark"})
        batch(engine, options.jobs)
        engine.context.spans = spans
        batch(engine, options.jobs)
        for number in range(options.rounds):
            # In another order each round: what comes later finds more rows.
            for name in [*took, *took][number % 3 : number % 3 + 3]:
                engine.context.spans = spans if "traces" in name else None
                with without_metrics() if name == "nothing" else nullcontext():
                    took[name].append(batch(engine, options.jobs))
        spans.close()
        engine.context.spans = None
        engine.close()
    sandbox.stop()
    for name, all_of_it in took.items():
        more = statistics.median(one - other for one, other in zip(all_of_it, took["nothing"], strict=True))
        print(f"{name:<20}{statistics.median(all_of_it):>8.2f} ms a job{more:>+8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
