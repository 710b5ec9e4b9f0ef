"""Plain Celery made faster: batches of messages, a lighter HTTP client, and none of the worker's small talk.

`submit` publishes through kombu's batches, a pipeline of Redis for many messages. Tasks use urllib3, which
takes half of what httpx takes for a request. The worker neither gossips nor sends heartbeats or events, and
looks go to a queue of their own, so that creates do not wait behind them.
"""

import json
import os

import redis
import urllib3
from celery import Celery
from celery.signals import worker_ready
from celery_plain import receive
from video_gateway import EVENTS, TERMINAL, asked, run, say

ROLES = ("worker", "receiver")
THREADS = 16
BATCH = 500
WEEK = 7 * 86_400
PAUSE = float(os.environ["POLL_AFTER_SECONDS"])

app = Celery(broker=os.environ["REDIS_URL"])
app.conf.update(
    task_ignore_result=True,
    task_routes={"look": {"queue": "looks"}},
    broker_connection_retry_on_startup=True,
    worker_redirect_stdouts=False,
    worker_send_task_events=False,
)
known = redis.Redis.from_url(os.environ["REDIS_URL"])
http = urllib3.PoolManager(maxsize=THREADS, block=True)
authorized = {"Authorization": f"Bearer {os.environ['GATEWAY_API_KEY']}"}
videos = f"{os.environ['GATEWAY_URL']}/videos"
hook = {"endpoint_id": os.environ["WEBHOOK_ENDPOINT_ID"], "events": EVENTS}


def call(method: str, url: str, **options: object) -> urllib3.BaseHTTPResponse:
    answer = http.request(method, url, **options)
    if answer.status >= 400:
        raise RuntimeError(f"{url} answered {answer.status}")
    return answer


@app.task(name="create")
def create(prompt: str) -> None:
    order = {"model": "lean", "prompt": prompt, "duration": 4, "webhook": hook}
    job = call("POST", videos, json=order, headers=authorized).json()["id"]
    look.apply_async((job,), countdown=PAUSE)


@app.task(name="look")
def look(job: str) -> None:
    if known.exists(f"handed-off:{job}"):
        return
    if json.loads(call("GET", f"{videos}/{job}", headers=authorized).data)["status"] not in TERMINAL:
        look.apply_async((job,), countdown=PAUSE)
    elif known.set(f"handed-off:{job}", "1", nx=True, ex=WEEK):
        call("POST", os.environ["SINK_URL"], json={"video": job})


def work() -> None:
    worker_ready.connect(lambda **_: say("ready"), weak=False)
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "warning"]
    pool = ["--pool", "threads", "--concurrency", str(THREADS), "--queues", "celery,looks"]
    app.worker_main(["worker", *pool, *quiet])


def submit() -> None:
    with app.producer_or_acquire() as producer:
        producer.connection.ensure_connection()
        count = asked()
        with producer.batch(BATCH):
            for number in range(count):
                create.apply_async((f"waves {number}",), producer=producer, retry=False)
        say("accepted")


if __name__ == "__main__":
    run({"worker": work, "receiver": receive, "submit": submit})
