"""Awa made faster: three short jobs per video instead of one that waits for a callback.

Short jobs are what Awa's storage is made for: they are claimed and completed in batches, and dispatched at
once by NOTIFY, while a callback costs a dozen statements and a handler that waits for one asks the database
for it twice a second. So a job creates the video and schedules a look, the webhook inserts the hand-off,
and so does the look if it finds that the video has ended. Uniqueness of the hand-off by its arguments,
which outlasts its completion, makes it one.

Plans are generic ones, kept by each connection: most of what PostgreSQL does is to plan statements over
Awa's partitions anew. Rescue of what a killed worker had in hand is sooner than by default.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import awa
import uvloop
import video_gateway
from video_gateway import POLL_AFTER_SECONDS, Gateway

ROLES = ("worker", "receiver")
DATABASE_URL = os.environ["DATABASE_URL"] + "?options=-cplan_cache_mode%3Dforce_generic_plan"
QUEUE = "videos"
CONNECTIONS = 20
AT_ONCE = 50
gateway = Gateway()


@dataclass
class MakeVideo:
    prompt: str


@dataclass
class Look:
    video: str


@dataclass
class HandOff:
    video: str


class Together:
    """COPY for what comes together: whoever comes while one is under way shares the next."""

    def __init__(self, enqueue: Callable[[list[str]], Awaitable[int]]) -> None:
        self._enqueue = enqueue
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def __call__(self, video: str) -> None:
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((video, stored))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        await stored

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await self._store(batch)
        self._flushing = None

    async def _store(self, batch: list[tuple[str, asyncio.Future[None]]]) -> None:
        """All in one, or else each by itself: one that is there already refuses the whole."""
        try:
            with suppress(awa.UniqueConflict) if len(batch) == 1 else nullcontext():
                await self._enqueue([video for video, _ in batch])
        except awa.UniqueConflict:
            for one in batch:
                await self._store([one])
        except awa.AwaError as error:
            for _, stored in batch:
                stored.set_exception(error)
        for _, stored in batch:
            if not stored.done():
                stored.set_result(None)


def looks(client: awa.AsyncClient) -> Together:
    """Have a video looked at, a while from now."""

    def enqueue(videos: list[str]) -> Awaitable[int]:
        due = datetime.now(UTC) + timedelta(seconds=POLL_AFTER_SECONDS)
        return client.enqueue_many_copy([Look(video) for video in videos], queue=QUEUE, run_at=due)

    return Together(enqueue)


def hand_offs(client: awa.AsyncClient) -> Together:
    """Have a video handed off, once, however many ask for it."""

    def enqueue(videos: list[str]) -> Awaitable[int]:
        jobs = [HandOff(video) for video in videos]
        return client.enqueue_many_copy(jobs, queue=QUEUE, unique_opts={"by_args": True})

    return Together(enqueue)


def handle_with(client: awa.AsyncClient) -> None:
    look_later, hand_over = looks(client), hand_offs(client)

    @client.task(MakeVideo, queue=QUEUE)
    async def make(job: awa.Job) -> None:
        video = await gateway.create(job.args.prompt, reference=str(job.id))
        await look_later(video)

    @client.task(Look, queue=QUEUE)
    async def look(job: awa.Job) -> awa.Snooze | None:
        if not await gateway.has_ended(job.args.video):
            return awa.Snooze(POLL_AFTER_SECONDS)
        await hand_over(job.args.video)
        return None

    @client.task(HandOff, queue=QUEUE)
    async def hand_off(job: awa.Job) -> None:
        await gateway.hand_off(job.args.video)


def worker() -> None:
    async def work() -> None:
        client = awa.AsyncClient(DATABASE_URL, CONNECTIONS)
        await client.migrate()
        handle_with(client)
        await client.start(
            [(QUEUE, AT_ONCE)],
            leader_election_interval_ms=1_000,
            heartbeat_interval_ms=5_000,
            heartbeat_staleness_ms=20_000,
            heartbeat_rescue_interval_ms=2_000,
        )
        video_gateway.say("ready")
        await asyncio.Event().wait()

    uvloop.run(work())


def receiver() -> None:
    hand_over = hand_offs(awa.AsyncClient(DATABASE_URL, CONNECTIONS))

    async def taken(data: dict) -> bool:
        await hand_over(data["id"])
        return True

    video_gateway.serve(video_gateway.receiver(taken))


def submit() -> None:
    async def insert() -> None:
        client = awa.AsyncClient(DATABASE_URL)
        await client.health_check()
        count = await asyncio.to_thread(video_gateway.asked)
        await client.enqueue_many_copy([MakeVideo("waves")] * count, queue=QUEUE)
        video_gateway.say("accepted")

    asyncio.run(insert())


if __name__ == "__main__":
    video_gateway.run({"worker": worker, "receiver": receiver, "submit": submit})
