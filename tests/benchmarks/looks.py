"""Looks a second on one core of a worker, beside a bare loop over the same client; goal: 0.8 of it.

python -m tests.benchmarks.looks --jobs 4000 --rounds 5

A worker's threads claim jobs that are due, ask a lean gateway about each, and note when to look next, on a
private PostgreSQL that waits for the disk; lists are switched off (none is ever worth it), so that each look
is a GET. The bare loop asks about as many by `client.get` over as many connections, and reads the state; the
direct one does so as our client sends, past what httpx does around its transport. They take turns, each in a
process of its own, as is the gateway. What counts is processor time: looks for each second of it.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.store.database import Store
from orchestrator.store.migrate import migrate
from tests.benchmarks.jobs_per_second import used
from tests.benchmarks.looks_process import Told
from tests.benchmarks.medians import as_table, medians
from tests.benchmarks.open_jobs import Connection, fill
from tests.servers.postgres import PostgresServer
from tests.servers.processes import descendants
from tests.servers.redis import RedisServer

GOAL = 0.8
COLUMNS = {
    "rate": "looks a processor second",
    "by_the_clock": "a second by the clock",
    "cpu": "processor time each (µs)",
    "database": "of PostgreSQL (µs)",
}
WORKER, BARE, DIRECT = "worker", "bare loop", "direct loop"
ROOT = Path(__file__).parents[2]
MAKE_DUE = "UPDATE jobs SET due_at = extract(epoch FROM clock_timestamp()) - 1"


@dataclass(frozen=True)
class Round:
    """What a round took, in seconds, of them of a processor, and those of the database."""

    looks: int
    seconds: float
    cpu: float
    database: float = 0.0

    @property
    def rate(self) -> float:
        """Looks for each second of the process's processor time."""
        return self.looks / self.cpu

    def told(self) -> dict[str, float]:
        """Its numbers, as the page tells them."""
        return {
            "rate": self.rate,
            "by_the_clock": self.looks / self.seconds,
            "cpu": 1e6 * self.cpu / self.looks,
            "database": 1e6 * self.database / self.looks,
        }


class Player:
    """A process that does rounds."""

    def __init__(self, command: list[str]) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)

    def said(self) -> str:
        """Its next line. Raises SystemExit where it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip() or sys.exit(f"{self.process.args!r} ended")

    def play(self) -> Round:
        """One round."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return Round(**json.loads(self.said()))

    def end(self) -> None:
        """By its id, whatever it does."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def playing(command: list[str]) -> Iterator[Player]:
    """Such a process, gone afterwards."""
    player = Player(command)
    try:
        yield player
    finally:
        player.end()


def ours(player: Player, connection: Connection, postmaster: int) -> Round:
    """One round of the worker; where it takes longer than the guidance, some jobs are looked at twice."""
    connection.execute(MAKE_DUE)
    connection.execute("VACUUM jobs")
    looks, before = _looks(connection), _of_database(postmaster)
    played = player.play()
    database, looks = _of_database(postmaster) - before, _looks(connection) - looks
    assert looks >= played.looks, "jobs were left out"
    return Round(looks, played.seconds, played.cpu, database)


def _looks(connection: Connection) -> int:
    ((looks,),) = connection.execute("SELECT sum(looks) FROM jobs").fetchall()
    return int(looks)


def _of_database(postmaster: int) -> float:
    return used(postmaster, *descendants(postmaster))


def measure(jobs: int, rounds: int) -> dict[str, list[Round]]:
    """So many rounds of each in turn, after one to warm up."""
    found: dict[str, list[Round]] = {WORKER: [], BARE: [], DIRECT: []}
    with ExitStack() as stack:
        postgres, redis = PostgresServer(durable=True), RedisServer()
        stack.callback(postgres.close)
        stack.callback(redis.close)
        store = Store(postgres.database())
        migrate(store)
        store.close()
        connection = stack.enter_context(postgres.connect(store.url))
        fill(connection, 0, jobs)
        gateway = stack.enter_context(playing([sys.executable, "-m", "tests.benchmarks.lean_gateway"]))
        url = f"http://127.0.0.1:{gateway.said()}/v1"
        told = Told(url, jobs, database_url=store.url, broker_url=redis.url)
        worker = stack.enter_context(playing(told.command()))
        loops = [
            stack.enter_context(playing(Told(url, jobs, direct=direct).command())) for direct in (False, True)
        ]
        for player in (worker, *loops):
            assert player.said() == "ready"
        for number in range(rounds + 1):
            played = (ours(worker, connection, postgres.process.pid), *(loop.play() for loop in loops))
            for name, one in zip(found, played, strict=True):
                if number:
                    found[name].append(one)
                    print(f"{name:<12}{one}", file=sys.stderr, flush=True)
    return found


def ratios(found: dict[str, list[Round]], loop: str) -> list[float]:
    """How the worker's looks for each processor second compare to a loop's, round by round."""
    return [one.rate / other.rate for one, other in zip(found[WORKER], found[loop], strict=True)]


def main() -> int:
    """Measure and print; 1 if the goal is not reached."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the rounds and the ratio as JSON")
    options = parser.parse_args()
    found = measure(options.jobs, options.rounds)
    told = {loop: ratios(found, loop) for loop in (BARE, DIRECT)}
    ratio = statistics.median(told[BARE])
    rounds = {name: [one.told() for one in played] for name, played in found.items()}
    if options.json:
        judged = {"rounds": rounds, "ratios": told, "ratio": ratio, "goal": GOAL}
        print(json.dumps(judged | as_table(rounds, COLUMNS)))
        return int(ratio < GOAL)
    for name, numbers in medians(rounds).items():
        print(f"{name:<12}", *(f" {COLUMNS[what]}: {value:,.0f};" for what, value in numbers.items()))
    for name, some in told.items():
        print(f"worker to {name}: {statistics.median(some):.2f} ({min(some):.2f} to {max(some):.2f})")
    print(f"the goal is {GOAL} of the bare loop")
    return int(ratio < GOAL)


if __name__ == "__main__":
    sys.exit(main())
