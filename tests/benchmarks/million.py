"""What a million open jobs cost beside ten thousand: looks, sweeps, starts, memory and disk.

python -m tests.benchmarks.million --jobs 1000000 --rounds 4 --rate 200

Two databases in one private PostgreSQL, both filled by `generate_series`, all due far off; whatever is
measured takes turns between them. A look costs what the worker and PostgreSQL spend of
processor time together, from the claim to the note, each a GET at a lean gateway; those that are due lie all
over the table. A start is from the launch of a process to its line `started`. Then a real fleet works at a
rate of looks that become due: how far it falls behind, and how much memory it takes.

A million jobs at the longest spacing that the cadence knows, 900 seconds, ask for 1,111 looks a second:
`--rate 1111` on a machine with two idle cores for the worker and PostgreSQL.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator import wiring
from orchestrator.engine.sweep import sweep
from orchestrator.store import workers
from orchestrator.store.database import Store
from orchestrator.store.migrate import migrate
from tests.acceptance.fleet import Fleet
from tests.acceptance.processes import Child
from tests.benchmarks.jobs_per_second import used
from tests.benchmarks.looks import Player, playing
from tests.benchmarks.looks_process import KEY, Told, settings_of
from tests.benchmarks.open_jobs import Connection, fill
from tests.servers.postgres import PostgresServer
from tests.servers.processes import descendants
from tests.servers.redis import RedisServer

GOALS = {"look": 1.2, "memory": 1.1, "start": 5.0, "behind": 2.0}
FAR = 86_400.0  # seconds: nothing is due before the benchmark is over
LOOKS = 2_000  # that are due in a round
ROLES = ("web", "worker", "beat")
SOME_DUE = """
UPDATE jobs SET due_at = extract(epoch FROM clock_timestamp()) - 1 + random() * %(seconds)s
WHERE id = ANY(%(ids)s)
"""
# What was looked at is due again after the guidance: not while this measures something else.
PUT_BACK = """
UPDATE jobs SET due_at = due_at + 86400 WHERE tenant_id = 'default' AND state NOT IN ('accepted', 'creating')
  AND due_at IS NOT NULL AND due_at < extract(epoch FROM clock_timestamp()) + 43200
"""
LOOKED = "SELECT sum(looks) FROM jobs WHERE id = ANY(%(ids)s)"
BEHIND = """
SELECT coalesce(extract(epoch FROM clock_timestamp()) - min(due_at), 0), count(*) FROM jobs
WHERE tenant_id = 'default' AND state NOT IN ('accepted', 'creating') AND due_at IS NOT NULL
  AND due_at < extract(epoch FROM clock_timestamp()) AND leased_by IS NULL
"""
SIZES = {
    "rows": "SELECT pg_table_size('jobs')",
    "indexes": "SELECT pg_indexes_size('jobs')",
}


@dataclass
class Side:
    """One of the two databases, with what looks at it and what was found."""

    jobs: int
    url: str
    connection: Connection
    player: Player
    broker: RedisServer
    found: dict[str, list[float]] = field(default_factory=dict)

    def note(self, name: str, value: float) -> None:
        """One more measurement."""
        self.found.setdefault(name, []).append(value)
        print(f"{self.jobs:>9,} {name} {value:.4g}", file=sys.stderr, flush=True)

    def median(self, name: str) -> float:
        """The middle of what was measured."""
        return statistics.median(self.found[name])

    def make_due(self, due: int, shift: int, seconds: float = 0.0) -> list[str]:
        """Let so many, from all over the table, be due within some seconds, and no others; their ids."""
        apart = self.jobs // due
        ids = [f"job_{shift % apart + number * apart:026}" for number in range(due)]
        self.connection.execute(PUT_BACK)
        self.connection.execute(SOME_DUE, {"ids": ids, "seconds": seconds})
        return ids

    def looked(self, ids: list[str]) -> int:
        """How often these were looked at so far."""
        ((many,),) = self.connection.execute(LOOKED, {"ids": ids}).fetchall()
        return int(many)

    def behind(self) -> tuple[float, int]:
        """For how long the longest due job waits, in seconds, and how many do."""
        ((seconds, many),) = self.connection.execute(BEHIND).fetchall()
        return float(seconds), int(many)


def look(side: Side, number: int, postmaster: int) -> None:
    """A round of looks, each a GET; where it takes longer than the guidance, some are due twice.

    The pages that a look writes were written by the round before, as a table that is looked at all over has
    been since the last checkpoint. Right after one, each look logs some ten whole pages of a large table.
    """
    ids = side.make_due(LOOKS, 7 * number)
    before, database = side.looked(ids), _spent(postmaster)
    played = side.player.play()
    database, looks = _spent(postmaster) - database, side.looked(ids) - before
    assert looks >= LOOKS, "jobs were left out"
    side.note("µs of the worker, a look", 1e6 * played.cpu / looks)
    side.note("µs of PostgreSQL, a look", 1e6 * database / looks)
    side.note("µs in all, a look", 1e6 * (played.cpu + database) / looks)


def _spent(postmaster: int) -> float:
    return used(postmaster, *descendants(postmaster))


def sweeps(side: Side, gateway_url: str, postmaster: int, rounds: int) -> None:
    """What a sweep costs while more is due than it reads."""
    settings = settings_of(Told(gateway_url, 0, database_url=side.url))
    store = wiring.open_store(settings)
    context = wiring.build(settings, store)
    with store.write() as tx:
        workers.join(tx, context.worker, host="here", pid=1)
    side.make_due(LOOKS, 3)
    sweep(context)
    for _ in range(rounds):
        began, mine, theirs = time.perf_counter(), time.process_time(), _spent(postmaster)
        for _ in range(10):
            sweep(context)
        spent = time.process_time() - mine + _spent(postmaster) - theirs
        side.note("ms of processor, a sweep", 1000 * spent / 10)
        side.note("ms, a sweep", 1000 * (time.perf_counter() - began) / 10)
    context.close()
    store.close()


def starts(side: Side, fleet: Fleet) -> None:
    """Each role, one after the other; all are stopped again."""
    for role in ROLES:
        began = time.perf_counter()
        run = fleet.start(role)
        side.note(f"s, start of {role}", time.perf_counter() - began)
        side.note(f"s of processor, start of {role}", used(run.pid))
    fleet.stop(*ROLES)


def keep_up(side: Side, fleet: Fleet, rate: float, seconds: int) -> None:
    """A worker and beat, while looks become due at a rate; for less than the guidance, so none is twice."""
    side.connection.execute(PUT_BACK)
    fleet.ready(*(fleet.launch(role) for role in ("worker", "beat")))
    side.make_due(int(rate * seconds), 11, seconds)
    began = time.monotonic()
    while (gone := time.monotonic() - began) < seconds:
        time.sleep(0.5)
        if gone > 2:  # what was due while the statement that made it due was under way is over
            side.note("s behind", side.behind()[0])
    (worker,) = fleet.of("worker")
    _memory(side, worker)
    fleet.stop("worker", "beat")


def _memory(side: Side, worker: Child) -> None:
    pages = int(Path(f"/proc/{worker.pid}/statm").read_text().split()[1])
    side.note("MB of a worker", pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
    with side.broker.client() as client:
        side.note("MB of Redis", int(client.info("memory")["used_memory"]) / 1e6)


def sides(stack: ExitStack, postgres: PostgresServer, url: str, sizes: list[int]) -> Iterator[Side]:
    """Databases with so many jobs, and what looks at them."""
    for jobs in sizes:
        store = Store(postgres.database())
        migrate(store)
        store.close()
        connection = stack.enter_context(postgres.connect(store.url))
        redis = RedisServer()
        stack.callback(redis.close)
        began = time.perf_counter()
        fill(connection, 0, jobs, first=FAR, spread=3600.0)
        told = Told(url, LOOKS, database_url=store.url, broker_url=redis.url)
        player = stack.enter_context(playing(told.command()))
        assert player.said() == "ready"
        side = Side(jobs, store.url, connection, player, redis)
        side.note("s to fill", time.perf_counter() - began)
        for name, query in SIZES.items():
            ((size,),) = connection.execute(query).fetchall()
            side.note(f"bytes of {name}, a job", size / jobs)
        yield side


def measure(options: argparse.Namespace) -> list[Side]:
    """All of it; the fewer jobs come first."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # It does not wait for the disk, which is not what is measured; whole pages are logged as ever.
        postgres = PostgresServer(
            full_page_writes="on", shared_buffers="512MB", max_wal_size="4GB", maintenance_work_mem="256MB"
        )
        stack.callback(postgres.close)
        gateway = stack.enter_context(playing([sys.executable, "-m", "tests.benchmarks.lean_gateway"]))
        url = f"http://127.0.0.1:{gateway.said()}/v1"
        both = list(sides(stack, postgres, url, [options.few, options.jobs]))
        fleets = []
        for side in both:
            place = folder / str(side.jobs)
            place.mkdir()
            given: dict[str, Any] = {
                "gateway_api_key": KEY,
                "cadence": "guidance",
                "poll_after_seconds": 20.0,
            }
            fleet = Fleet(place, url, side.url, side.broker.url, **given)
            stack.callback(fleet.end)
            fleets.append(fleet)
        postmaster = postgres.process.pid
        for number in range(options.rounds + 1):
            for side in both:
                look(side, number, postmaster)
                if number == 0:  # a round to warm up
                    for name in [one for one in side.found if one.endswith("a look")]:
                        del side.found[name]
        for side in both:
            sweeps(side, url, postmaster, options.rounds)
        for _ in range(2):
            for side, fleet in zip(both, fleets, strict=True):
                starts(side, fleet)
        for side, fleet in zip(both, fleets, strict=True):
            keep_up(side, fleet, options.rate, options.seconds)
        return both


def judged(few: Side, many: Side) -> dict[str, tuple[float, float]]:
    """What the goals are about, each with its goal."""
    last = max(many.found["s behind"][-6:])
    return {
        "cost of a look, in proportion": (_ratio(few, many, "µs in all, a look"), GOALS["look"]),
        "memory of a worker, in proportion": (_ratio(few, many, "MB of a worker"), GOALS["memory"]),
        "memory of Redis, in proportion": (_ratio(few, many, "MB of Redis"), GOALS["memory"]),
        **{f"s, start of {role}": (many.median(f"s, start of {role}"), GOALS["start"]) for role in ROLES},
        "s behind in the end": (last, GOALS["behind"]),
    }


def _ratio(few: Side, many: Side, name: str) -> float:
    """Of what was measured in turn: another program takes from both alike."""
    return statistics.median(
        more / less for less, more in zip(few.found[name], many.found[name], strict=True)
    )


def main() -> int:
    """Measure and print; 1 if a goal is not reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--few", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1_111.0, help="looks that become due each second")
    parser.add_argument("--seconds", type=int, default=18, help="for so long; shorter than the guidance")
    parser.add_argument("--json", action="store_true", help="print what was measured as JSON")
    options = parser.parse_args()
    if options.few < LOOKS or options.rate * options.seconds > options.few:
        options.seconds = int(min(options.seconds, options.few / options.rate))
    few, many = measure(options)
    goals = judged(few, many)
    missed = [name for name, (found, goal) in goals.items() if found > goal]
    if options.json:
        print(json.dumps({"few": few.found, "many": many.found, "goals": goals, "missed": missed}))
        return int(bool(missed))
    print(f"| median | {few.jobs:,} | {many.jobs:,} |\n| --- | ---: | ---: |")
    for name in many.found:
        print(f"| {name} | {few.median(name):.4g} | {many.median(name):.4g} |")
    for name, (found, goal) in goals.items():
        print(f"{name}: {found:.2f}; the goal is {goal} at most")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
