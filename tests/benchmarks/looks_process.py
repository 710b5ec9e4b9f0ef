"""A process that looks at jobs, as a worker or as a bare loop: each line on its standard input is a round.

It says `ready`, and after each round, as JSON, how many looks it made, in how many seconds, and the seconds
of processor time that this took it. What it is to do is told as JSON.
"""

import asyncio
import gc
import json
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import httpx
from pydantic import SecretStr

from orchestrator import wiring
from orchestrator.celery_app import make_app
from orchestrator.core.learned import lists
from orchestrator.engine.follow_up import Task
from orchestrator.gateway import connection
from orchestrator.gateway.account import Account
from orchestrator.gateway.client import CONNECTIONS
from orchestrator.gateway.connection import Timeouts
from orchestrator.settings import Settings
from orchestrator.store import workers
from orchestrator.tasks.sending import Courier
from orchestrator.tasks.work import perform

KEY = "phaseo_v1_sk_bench00_s3cr3t"


@dataclass(frozen=True)
class Told:
    """What to do: by a worker's threads, or bare where there is no database.

    `direct` is a bare loop that sends as our client does: by the transport, past what httpx does around it.
    """

    gateway_url: str
    jobs: int
    threads: int = 4
    database_url: str = ""
    broker_url: str = ""
    direct: bool = False

    def command(self) -> list[str]:
        """What does it, in the project's folder."""
        return [sys.executable, "-m", "tests.benchmarks.looks_process", json.dumps(asdict(self))]


def gateway_id(number: int) -> str:
    """Of the job with this number, as long as the gateway's are."""
    return f"G-{number:026}"


def settings_of(told: Told) -> Settings:
    """Those of a worker."""
    return wiring.read_settings(
        database_url=told.database_url,
        gateway_url=told.gateway_url,
        gateway_api_key=KEY,
        cadence="guidance",
        secret_keys="MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    )


def worker(told: Told) -> Callable[[], None]:
    """Looks at all that is due, by the task that a message calls, in as many threads as a worker has.

    No list is ever worth it: each look is a GET.
    """
    lists.AT_LEAST = sys.maxsize
    settings = settings_of(told)
    context = wiring.build(settings, wiring.open_store(settings))
    send = Courier(make_app(told.broker_url, publishes=True), wiring.monotonic)
    with context.store.write() as tx:
        workers.join(tx, context.worker, host="here", pid=1)

    def all_due() -> None:
        with context.store.write() as tx:
            workers.beat(tx, context.worker)
        threads = [
            threading.Thread(target=perform, args=(Task.LOOK, context, send)) for _ in range(told.threads)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return all_due


def bare(told: Told) -> Callable[[], None]:
    """Asks about as many jobs and reads their states, over the same client, and does nothing else."""
    account = Account("default", told.gateway_url, SecretStr(KEY), None, ())
    loop = asyncio.new_event_loop()
    client = connection.pooled_client(account, Timeouts(), CONNECTIONS)

    async def get(path: str) -> httpx.Response:
        if not told.direct:
            return await client.get(path)
        answer = await client.directly("GET", path)
        await answer.aread()
        return answer

    async def ask(numbers: asyncio.Queue[int]) -> None:
        while not numbers.empty():
            answer = await get(f"videos/{gateway_id(numbers.get_nowait())}")
            assert answer.json()["status"], answer.text

    async def ask_all() -> None:
        numbers: asyncio.Queue[int] = asyncio.Queue()
        for number in range(told.jobs):
            numbers.put_nowait(number)
        await asyncio.gather(*(ask(numbers) for _ in range(CONNECTIONS)))

    return lambda: loop.run_until_complete(ask_all())


def main(told: Told) -> None:
    """Begin, and do a round for every line."""
    play = worker(told) if told.database_url else bare(told)
    gc.freeze()  # as `orchestrator worker` does; a bare loop would not have that much loaded
    print("ready", flush=True)
    for _ in sys.stdin:
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        play()
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(json.dumps({"looks": told.jobs, "seconds": seconds, "cpu": cpu}), flush=True)
    wiring.leave_threads()


if __name__ == "__main__":
    main(Told(**json.loads(sys.argv[1])))
