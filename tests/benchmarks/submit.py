"""Jobs accepted per second: over HTTP and by the use-case itself, one by one and in bulk, on both databases.

python -m tests.benchmarks.submit --rounds 3 --seconds 3

PostgreSQL and SQLite, each with a real `web` process or `up`; the load is a process of its own over kept
connections. By the use-case, this process is the one that submits. Ways come in turn; medians are printed.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator import wiring
from orchestrator.engine.context import Context
from orchestrator.engine.submit import Submission, submit
from orchestrator.settings import load
from orchestrator.store.migrate import migrate
from tests.acceptance.callers import new_key
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.processes import ROOT, free_port, module
from tests.benchmarks.deployment import deployed
from tests.benchmarks.jobs_per_second import used
from tests.benchmarks.medians import as_table, medians

Found = dict[str, float]
REQUEST: dict[str, Any] = {"model": "google/veo-3.1-lite", "prompt": "waves", "duration": 8}
BULK = 1_000


def over_http(port: int, pid: int, key: str, connections: int, many: int, seconds: float) -> Found:
    """Requests of so many jobs each; jobs per second, and what each cost the server."""
    jobs = [{"request": REQUEST}] * many
    body = json.dumps({"jobs": jobs} if many > 1 else jobs[0])
    told = [str(port), "POST", "/v1/jobs", key, str(seconds), str(connections)]
    command, before = module("tests.benchmarks.keep_alive_load", *told, "-"), used(pid)
    run = subprocess.run(command, cwd=ROOT, input=body, text=True, stdout=subprocess.PIPE, check=True)
    found = dict(json.loads(run.stdout))
    cpu = 1000 * (used(pid) - before) / (found["per_second"] * seconds * many)
    return {"jobs_per_second": many * found["per_second"], "p99_ms": found["p99_ms"], "cpu_ms": cpu}


def by_use_case(context: Context, threads: int, many: int, seconds: float) -> Found:
    """The same without HTTP, by threads of this process."""
    wanted, began, cpu = [Submission(REQUEST)] * many, time.perf_counter(), time.process_time()

    def keep(_: int) -> int:
        kept = 0
        while time.perf_counter() - began < seconds:
            kept += len(submit(context, wanted)[0])
        return kept

    with ThreadPoolExecutor(threads) as pool:
        kept = sum(pool.map(keep, range(threads)))
    spent = time.perf_counter() - began
    return {"jobs_per_second": kept / spent, "cpu_ms": 1000 * (time.process_time() - cpu) / kept}


@contextmanager
def use_cases(database_url: str, folder: Path) -> Iterator[Context]:
    """What a process that submits works with."""
    settings = load(
        {}, database_url=database_url, data_dir=folder, output_dir=folder / "out", log_level="error"
    )
    store = wiring.open_store(settings)
    migrate(store)
    context = wiring.build(settings, store, asks_gateway=False)
    yield context
    context.close()
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument(
        "--durable", action="store_true", help="PostgreSQL waits for the disk, as SQLite does"
    )
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        there = stack.enter_context(deployed(folder, durable=options.durable, requests_per_minute=0))
        key = new_key(there.fleet.database)
        web = there.fleet.start("web")
        http = partial(over_http, there.fleet.port, web.pid, key)
        port = free_port()
        alone = there.fleet.start("web", inside=(*module("tests.benchmarks.each_alone"),), port=port)
        alone_http = partial(over_http, port, alone.pid, key)
        # It would create them beside; beyond one that is open they wait, as for a worker that is not there.
        up = Orchestrator(folder, there.sandbox.url, requests_per_minute=0, max_open_jobs=1)
        up_key = new_key(up.database)
        stack.callback(up.end)
        up_http = partial(over_http, up.port, up.start().pid, up_key)
        scaled = stack.enter_context(use_cases(there.postgres.database(), folder / "scaled"))
        embedded = stack.enter_context(use_cases("", folder / "embedded"))
        ways: dict[str, Callable[[float], Found]] = {
            "HTTP, PostgreSQL, 16 connections": partial(http, 16, 1),
            "HTTP, PostgreSQL, 64 connections": partial(http, 64, 1),
            "HTTP, PostgreSQL, 16 connections, a transaction each": partial(alone_http, 16, 1),
            "HTTP, PostgreSQL, 64 connections, a transaction each": partial(alone_http, 64, 1),
            f"HTTP, PostgreSQL, {BULK} a request": partial(http, 2, BULK),
            "HTTP, SQLite, 16 connections": partial(up_http, 16, 1),
            f"HTTP, SQLite, {BULK} a request": partial(up_http, 2, BULK),
            "use-case, PostgreSQL, 16 threads": partial(by_use_case, scaled, 16, 1),
            f"use-case, PostgreSQL, {BULK} at once": partial(by_use_case, scaled, 1, BULK),
            "use-case, SQLite, one thread": partial(by_use_case, embedded, 1, 1),
            f"use-case, SQLite, {BULK} at once": partial(by_use_case, embedded, 1, BULK),
        }
        rounds: dict[str, list[Found]] = defaultdict(list)
        for number in range(options.rounds + 1):
            for name, way in ways.items():
                found = way(options.seconds)
                if number:  # the first warms up
                    rounds[name].append(found)
    if options.json:
        columns = {
            "jobs_per_second": "jobs a second",
            "p99_ms": "p99 (ms)",
            "cpu_ms": "processor time a job (ms)",
        }
        print(json.dumps({"rounds": rounds} | as_table(rounds, columns)))
        return
    for name, found in medians(rounds).items():
        print(f"{name:54}", *(f" {what} {value:9.2f}" for what, value in found.items()))


if __name__ == "__main__":
    main()
