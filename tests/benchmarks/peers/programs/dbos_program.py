"""DBOS: a workflow per job that creates the video, receives the webhook's message, and hands off.

As its makers show it in "Communicating with Workflows" and in their widget store: the workflow waits in
`recv` with a timeout, the receiver forwards the webhook by `send` of the DBOS client, and the submitter
enqueues with that client from outside the application. A message is kept for a workflow that does not wait
yet. Where none came in time, a step looks at the gateway. `submit` enqueues all jobs in one transaction.
"""

import os
import threading

import video_gateway
from dbos import DBOS, DBOSClient, DBOSConfig
from sqlalchemy import create_engine
from video_gateway import POLL_AFTER_SECONDS, Gateway

ROLES = ("worker", "receiver")
QUEUE = "videos"
ENDED = "ended"
gateway = Gateway()


@DBOS.step(retries_allowed=True)
async def create(prompt: str) -> str:
    return await gateway.create(prompt, reference=str(DBOS.workflow_id))


@DBOS.step(retries_allowed=True)
async def has_ended(video: str) -> bool:
    return await gateway.has_ended(video)


@DBOS.step(retries_allowed=True)
async def hand_off(video: str) -> None:
    await gateway.hand_off(video)


@DBOS.workflow()
async def make_video(prompt: str) -> str:
    video = await create(prompt)
    while await DBOS.recv_async(ENDED, timeout_seconds=POLL_AFTER_SECONDS) is None:
        if await has_ended(video):
            break
    await hand_off(video)
    return video


def worker() -> None:
    """Runs workflows; those that a killed one left are recovered by the next with its executor id."""
    config = DBOSConfig(name="peers", system_database_url=os.environ["DATABASE_URL"], log_level="WARNING")
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(QUEUE)
    video_gateway.say("ready")
    threading.Event().wait()


def receiver() -> None:
    """Passes what webhooks say to the workflows."""
    client = DBOSClient(system_database_url=os.environ["DATABASE_URL"])

    async def taken(data: dict) -> bool:
        await client.send_async(data["session_id"], True, ENDED)
        return True

    video_gateway.serve(video_gateway.receiver(taken))


def submit() -> None:
    """Enqueues from outside of the application, all in one transaction."""
    engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:", 1))
    client = DBOSClient(system_database_engine=engine)
    client.retrieve_queue(QUEUE)
    count = video_gateway.asked()
    with engine.begin() as transaction:
        for _ in range(count):
            client.enqueue_in_transaction(
                transaction, {"workflow_name": "make_video", "queue_name": QUEUE}, "waves"
            )
    video_gateway.say("accepted")


if __name__ == "__main__":
    video_gateway.run({"worker": worker, "receiver": receiver, "submit": submit})
