"""DBOS made faster: plain functions in threads, two workers, and SQL at both ends.

Workflows that are plain functions spare the way from the event loop to a thread and back that DBOS's own
statements take for coroutines. Two workers with a queue each use both cores: one that listens to all queues
would take all jobs at its first poll. `submit` calls `dbos.enqueue_workflow` for all jobs in one statement,
the receiver `dbos.send_message` on a pooled connection: the functions that DBOS keeps in its database for
programs in other languages.
"""

import os
import threading
from contextlib import asynccontextmanager

import psycopg
import urllib3
import video_gateway
from dbos import DBOS, DBOSConfig
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from video_gateway import CONNECTIONS, POLL_AFTER_SECONDS, TERMINAL

ROLES = ("worker-1", "worker-2", "receiver")
QUEUES = ("videos-1", "videos-2")
ENDED = "ended"
http = urllib3.PoolManager(maxsize=CONNECTIONS, block=True)
authorized = {"Authorization": f"Bearer {os.environ['GATEWAY_API_KEY']}"}
videos_url = f"{os.environ['GATEWAY_URL']}/videos"


def call(method: str, url: str, **options: object) -> urllib3.BaseHTTPResponse:
    """Raises where the answer is none of success."""
    answer = http.request(method, url, **options)
    if answer.status >= 300:
        raise RuntimeError(f"{method} {url} answered {answer.status}")
    return answer


@DBOS.step(retries_allowed=True)
def create(prompt: str) -> str:
    order = video_gateway.order(prompt)
    headers = authorized | {"x-session-id": str(DBOS.workflow_id)}
    return str(call("POST", videos_url, json=order, headers=headers).json()["id"])


@DBOS.step(retries_allowed=True)
def has_ended(video: str) -> bool:
    return call("GET", f"{videos_url}/{video}", headers=authorized).json()["status"] in TERMINAL


@DBOS.step(retries_allowed=True)
def hand_off(video: str) -> None:
    call("POST", os.environ["SINK_URL"], json={"video": video})


@DBOS.workflow()
def make_video(prompt: str) -> str:
    video = create(prompt)
    while DBOS.recv(ENDED, timeout_seconds=POLL_AFTER_SECONDS) is None:
        if has_ended(video):
            break
    hand_off(video)
    return video


def worker(queue: str) -> None:
    """Runs the workflows of one queue, under a name that recovers them."""
    config = DBOSConfig(
        name="peers",
        system_database_url=os.environ["DATABASE_URL"],
        executor_id=queue,
        log_level="WARNING",
    )
    DBOS(config=config)
    DBOS.listen_queues([queue])
    DBOS.launch()
    DBOS.register_queue(queue)
    video_gateway.say("ready")
    threading.Event().wait()


def receiver() -> None:
    pool = AsyncConnectionPool(
        os.environ["DATABASE_URL"], open=False, max_size=10, kwargs={"autocommit": True}
    )

    @asynccontextmanager
    async def opened(_: Starlette):
        async with pool:
            yield

    async def taken(data: dict) -> bool:
        async with pool.connection() as connection:
            message = (data["session_id"], ENDED)
            await connection.execute("SELECT dbos.send_message(%s, 'true', %s)", message)
        return True

    video_gateway.serve(video_gateway.receiver(taken, opened))


ENQUEUE = """
SELECT dbos.enqueue_workflow('make_video', (%s::text[])[1 + number %% 2], ARRAY['"waves"'::json])
FROM generate_series(1, %s) AS number
"""


def submit() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        count = video_gateway.asked()
        connection.execute(ENQUEUE, (list(QUEUES), count))
        connection.commit()
        video_gateway.say("accepted")


if __name__ == "__main__":
    workers = {
        f"worker-{number}": lambda queue=queue: worker(queue) for number, queue in enumerate(QUEUES, 1)
    }
    video_gateway.run(workers | {"receiver": receiver, "submit": submit})
