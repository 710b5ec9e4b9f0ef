"""Plain Celery on Redis: a countdown per job, and a receiver that hands off.

Roles: `worker` (Celery, its pool of threads, since all it does is wait for HTTP), `receiver` (Starlette under
uvicorn), `submit`. A job is created by a task, which sends itself a look as a countdown; a look of a job that
is still open sends the next. Whoever learns of the end first, by `SET NX` of a key, makes the hand-off.
"""

import os
from collections.abc import Mapping

import httpx
import redis
from celery import Celery, group
from celery.signals import worker_ready
from video_gateway import EVENTS, TERMINAL, Gateway, asked, receiver, run, say, serve

ROLES = ("worker", "receiver")
THREADS = 32
WEEK = 7 * 86_400

app = Celery(broker=os.environ["REDIS_URL"])
app.conf.update(
    task_ignore_result=True, broker_connection_retry_on_startup=True, worker_redirect_stdouts=False
)
known = redis.Redis.from_url(os.environ["REDIS_URL"])
gateway = httpx.Client(
    base_url=os.environ["GATEWAY_URL"],
    headers={"authorization": f"Bearer {os.environ['GATEWAY_API_KEY']}"},
    limits=httpx.Limits(max_connections=THREADS, max_keepalive_connections=THREADS),
    trust_env=False,
)
PAUSE = float(os.environ["POLL_AFTER_SECONDS"])


@app.task
def create(prompt: str) -> None:
    hook = {"endpoint_id": os.environ["WEBHOOK_ENDPOINT_ID"], "events": EVENTS}
    order = {"model": "lean", "prompt": prompt, "duration": 4, "webhook": hook}
    job = gateway.post("/videos", json=order).raise_for_status().json()["id"]
    look.apply_async((job,), countdown=PAUSE)


@app.task
def look(job: str) -> None:
    if known.exists(f"handed-off:{job}"):
        return
    seen = gateway.get(f"/videos/{job}").raise_for_status().json()
    if seen["status"] in TERMINAL:
        if first(job):
            gateway.post(
                os.environ["SINK_URL"], json={"id": job, "status": seen["status"]}
            ).raise_for_status()
    else:
        look.apply_async((job,), countdown=PAUSE)


def first(job: str) -> bool:
    """Whether nobody handed it off before."""
    return bool(known.set(f"handed-off:{job}", "1", nx=True, ex=WEEK))


def receive() -> None:
    import redis.asyncio

    keys = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"])
    done = Gateway()

    async def taken(data: Mapping) -> bool:
        if await keys.set(f"handed-off:{data['id']}", "1", nx=True, ex=WEEK):
            await done.hand_off(data["id"])
        return True

    serve(receiver(taken))


def work() -> None:
    worker_ready.connect(lambda **_: say("ready"), weak=False)
    app.worker_main(["worker", "--pool", "threads", "--concurrency", str(THREADS), "--loglevel", "warning"])


def submit() -> None:
    """One connection, held."""
    with app.producer_or_acquire() as producer:
        producer.connection.ensure_connection()
        jobs = group(create.s(f"waves {number}") for number in range(asked()))
        jobs.apply_async(producer=producer)
        say("accepted")


if __name__ == "__main__":
    run({"worker": work, "receiver": receive, "submit": submit})
