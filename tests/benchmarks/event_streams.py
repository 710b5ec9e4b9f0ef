"""Many streams of events at one web process: what each costs, how soon an event comes, and what a kill loses.

    python -m tests.benchmarks.event_streams --streams 5000 --commits 1000

PostgreSQL, Redis and the web process are real; this process opens a stream of each job, and commits.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import secrets
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.core.access import Scope
from orchestrator.core.events import Told
from orchestrator.core.job import Job
from orchestrator.core.lifecycle import State
from orchestrator.engine import granting
from orchestrator.processes.ringing import ringing
from orchestrator.store import events, jobs
from orchestrator.store.database import Store
from orchestrator.store.events import START
from tests.acceptance.processes import Child
from tests.benchmarks.deployment import Deployment, deployed

TOGETHER = 100  # connections that are opened at a time
PAUSE = 0.01  # seconds between two commits
QUIET = 5.0  # seconds without an event, after which none is waited for
BACK_AFTER = 0.5  # seconds after which a client that lost its stream comes back


class Client:
    """One stream, come back to whenever it is lost."""

    def __init__(self, job_id: str, port: int, key: str, came: "Came") -> None:
        self.job_id, self._port, self._key, self._came = job_id, port, key, came
        self.seqs: list[int] = []
        self.began, self.came_back = asyncio.Event(), asyncio.Event()

    async def follow(self, slots: asyncio.Semaphore) -> None:
        while True:
            try:
                async with slots:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                    writer.write(self._request())
                    status = await reader.readline()
                    assert b" 200 " in status, status
                await self._read(reader)
                writer.close()
            except (OSError, AssertionError, asyncio.IncompleteReadError):
                pass
            await asyncio.sleep(BACK_AFTER * (1 + random.random()))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            if line.startswith(b"data: "):
                told = json.loads(line[6:])
                self.seqs.append(told["seq"])
                self._came(self.job_id, told["seq"])
            if line.startswith(b"retry: "):
                (self.came_back if self.began.is_set() else self.began).set()

    def _request(self) -> bytes:
        lines = [
            f"GET /v1/jobs/{self.job_id}/events HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {self._key}",
            f"Last-Event-ID: {self.seqs[-1] if self.seqs else 0}",
        ]
        return "\r\n".join([*lines, "", ""]).encode()


class Came:
    """When each event was committed and when it came."""

    def __init__(self) -> None:
        self.committed: dict[tuple[str, int], float] = {}
        self.came: dict[tuple[str, int], float] = {}

    def __call__(self, job_id: str, seq: int) -> None:
        self.came.setdefault((job_id, seq), time.monotonic())

    def lags(self) -> list[float]:
        return sorted(self.came[one] - at for one, at in self.committed.items() if one in self.came)


def committing(store: Store, came: Came, job_ids: list[str], over: threading.Event, most: int) -> None:
    """Tell something of a job at random, again and again, as a worker does."""
    with ringing(store):
        for _ in range(most):
            if over.is_set():
                return
            job_id = random.choice(job_ids)
            with store.write() as tx:
                events.append(tx, jobs.lock(tx, job_id), Told.PROGRESS, {"progress": 1})
                seq = events.of_job(tx, job_id, limit=10_000)[-1].seq
            came.committed[job_id, seq] = time.monotonic()
            time.sleep(PAUSE)


def memory(run: Child) -> float:
    """Resident bytes of the web process."""
    pages = int(Path(f"/proc/{run.pid}/statm").read_text().split()[1])
    return float(pages * resource.getpagesize())


@contextmanager
def used(run: Child, when: str) -> Iterator[None]:
    """Print how much of a processor the web process uses meanwhile."""

    def spent() -> float:
        fields = Path(f"/proc/{run.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before, began = spent(), time.monotonic()
    yield
    print(f"{when} it uses {100 * (spent() - before) / (time.monotonic() - began):.0f} % of a processor")


async def drained(came: Came) -> None:
    """Wait until nothing has come for a while."""
    known = -1
    while known != len(came.came):
        known = len(came.came)
        await asyncio.sleep(QUIET)


def prepared(store: Store, many: int) -> list[str]:
    job_ids = [f"job_{n:026}" for n in range(many)]
    for start in range(0, many, 1_000):
        with store.write() as tx:
            new = [_job(job_id, tx.now) for job_id in job_ids[start : start + 1_000]]
            jobs.add(tx, new)
            events.append_first(tx, new)
    return job_ids


def _job(job_id: str, now: float) -> Job:
    return Job(
        id=job_id,
        tenant_id="default",
        account_id="default",
        request={"model": "google/veo-3.1-lite", "prompt": "a fox"},
        state=State.WAITING,
        session_id=f"{job_id}.1",
        accepted_at=now,
        state_since=now,
        deadline_at=now + 86_400,
    )


async def measure(there: Deployment, many: int, commits: int) -> None:
    store = there.fleet.database.store
    scopes = frozenset({Scope.READ})
    _, whole = granting.make_key(store, secrets.token_bytes, "default", name="k", scopes=scopes, lasts=None)
    job_ids, came, over = prepared(store, many), Came(), threading.Event()
    web = there.fleet.start("web")
    before = memory(web)
    clients = [Client(one, there.fleet.port, whole.get_secret_value(), came) for one in job_ids]
    slots, began = asyncio.Semaphore(TOGETHER), time.monotonic()
    following = [asyncio.create_task(client.follow(slots)) for client in clients]
    await asyncio.gather(*(client.began.wait() for client in clients))
    print(f"{many} streams opened in {time.monotonic() - began:.1f} s")
    print(f"memory of the web process: {(memory(web) - before) / many / 1024:.1f} KiB a stream")

    with used(web, "while nothing is told"):
        await asyncio.sleep(20)
    with used(web, "while events are told"):
        await asyncio.to_thread(committing, store, came, job_ids, over, commits)
    await drained(came)
    lags = came.lags()
    p50, p99 = statistics.median(lags), lags[int(len(lags) * 0.99)]
    print(
        f"{len(lags)} of {len(came.committed)} events came; commit to event: p50 {p50 * 1000:.1f} ms, ",
        end="",
    )
    print(f"p99 {p99 * 1000:.1f} ms, longest {lags[-1] * 1000:.1f} ms")

    writing = asyncio.create_task(asyncio.to_thread(committing, store, came, job_ids, over, 10**9))
    await asyncio.sleep(1)
    web.kill()
    killed = time.monotonic()
    there.fleet.launch("web")
    await asyncio.gather(*(client.came_back.wait() for client in clients))
    print(f"all came back {time.monotonic() - killed:.1f} s after the web process was killed")
    over.set()
    await writing
    await drained(came)
    for task in following:
        task.cancel()
    judge(store, clients)


def judge(store: Store, clients: list[Client]) -> None:
    """Compare what came with the rows."""
    rows: dict[str, list[int]] = defaultdict(list)
    after = START
    with store.read() as tx:
        while page := events.of_tenant(tx, "default", after=after, limit=10_000):
            after = page[-1].position
            for one in page:
                rows[one.job_id].append(one.seq)
    lost = sum(len(set(rows[client.job_id]) - set(client.seqs)) for client in clients)
    doubled = sum(len(client.seqs) - len(set(client.seqs)) for client in clients)
    unordered = sum(client.seqs != sorted(client.seqs) for client in clients)
    total = sum(len(some) for some in rows.values())
    print(f"{total} events in the rows: {lost} lost, {doubled} doubled, {unordered} streams out of order")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=5_000)
    parser.add_argument("--commits", type=int, default=1_000)
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with (
        tempfile.TemporaryDirectory() as folder,
        deployed(Path(folder), requests_per_minute=0) as there,
    ):
        asyncio.run(measure(there, given.streams, given.commits))


if __name__ == "__main__":
    main()
