"""Awa: a job per video that registers a callback, creates the video, waits for the callback, and hands off.

As its makers show it in "Sequential Callbacks" and in "User-owned callback receivers": the handler suspends
in `wait_for_callback` and the receiver calls `resume_external`. Where no webhook came in time the handler
looks at the gateway, and either resumes itself or gives the callback more time by a callback heartbeat. The
callback of a killed worker gets none, times out, and the job is run again: it looks first, since the id of
the video is in its checkpoint. `submit` inserts by COPY.
"""

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass

import awa
import video_gateway
from video_gateway import POLL_AFTER_SECONDS, Gateway

ROLES = ("worker", "receiver")
QUEUE = "videos"
AT_ONCE = 2_000  # a handler that waits keeps its place
PATIENCE = 2 * POLL_AFTER_SECONDS  # between two looks a callback does not time out
gateway = Gateway()


@dataclass
class MakeVideo:
    prompt: str


async def make(job: awa.Job, client: awa.AsyncClient) -> None:
    video = (job.progress or {}).get("metadata", {}).get("video")
    if video is None or not await gateway.has_ended(video):
        callback = await job.register_callback(PATIENCE)
        if video is None:
            video = await gateway.create(job.args.prompt, reference=callback.id)
            job.update_metadata({"video": video})
            await job.flush_progress()
        ended = asyncio.ensure_future(job.wait_for_callback(callback))
        while not (await asyncio.wait([ended], timeout=POLL_AFTER_SECONDS))[0]:
            await look(client, video, callback)
        await ended
    await gateway.hand_off(video)


async def look(client: awa.AsyncClient, video: str, callback: awa.CallbackToken) -> None:
    """As a webhook would, if the video has ended; else the callback is given more time."""
    with suppress(awa.CallbackNotFound):  # a webhook was quicker
        if await gateway.has_ended(video):
            await client.resume_external(callback.id, {"ended": True})
        else:
            await client.heartbeat_callback(callback.id, PATIENCE)


def worker() -> None:
    async def work() -> None:
        client = awa.AsyncClient(os.environ["DATABASE_URL"])
        await client.migrate()

        @client.task(MakeVideo, queue=QUEUE)
        async def handle(job: awa.Job) -> None:
            await make(job, client)

        await client.start(
            [(QUEUE, AT_ONCE)],
            callback_rescue_interval_ms=1_000,
            # What was resumed for nobody is found by its heartbeat; sooner than this, so are busy workers.
            heartbeat_interval_ms=5_000,
            heartbeat_staleness_ms=20_000,
            heartbeat_rescue_interval_ms=2_000,
        )
        video_gateway.say("ready")
        await asyncio.Event().wait()

    asyncio.run(work())


def receiver() -> None:
    """Resumes the job whose callback a webhook names."""
    client = awa.AsyncClient(os.environ["DATABASE_URL"])

    async def taken(data: dict) -> bool:
        with suppress(awa.CallbackNotFound):  # resumed by a look, or timed out since its worker was killed
            await client.resume_external(data["session_id"], {"ended": True})
        return True

    video_gateway.serve(video_gateway.receiver(taken))


def submit() -> None:
    async def insert() -> None:
        client = awa.AsyncClient(os.environ["DATABASE_URL"])
        await client.health_check()
        count = await asyncio.to_thread(video_gateway.asked)
        await client.enqueue_many_copy([MakeVideo("waves")] * count, queue=QUEUE)
        video_gateway.say("accepted")

    asyncio.run(insert())


if __name__ == "__main__":
    video_gateway.run({"worker": worker, "receiver": receiver, "submit": submit})
