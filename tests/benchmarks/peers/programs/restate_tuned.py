"""Restate made faster: many jobs per request, fewer partitions, uvloop, and quicker retries.

`submit` asks a handler to send a batch of jobs, each of which is in the log of the server before it
answers: a request to the ingress costs more than a message from a handler. The harness starts the server
with four partitions: the 24 of its default are as many logs and stores, each with its own flushes. The rest
is as in `restate_program`.
"""

import asyncio
import os
from datetime import timedelta

import aiohttp
import hypercorn
import hypercorn.asyncio
import restate
import uvloop
import video_gateway
from video_gateway import POLL_AFTER_SECONDS, Gateway

ROLES = ("worker", "receiver")
BATCH = 500
ENDLESS = 2_147_483_647
retries = restate.InvocationRetryPolicy(
    initial_interval=timedelta(milliseconds=100), exponentiation_factor=2.0, max_interval=timedelta(seconds=1)
)
videos = restate.Service("Videos")
gateway = Gateway()


@videos.handler(invocation_retry_policy=retries)
async def make(ctx: restate.Context, prompt: str) -> str:
    reference, ended = ctx.awakeable(type_hint=bool)
    video = await ctx.run_typed("create", gateway.create, prompt=prompt, reference=reference)
    while True:
        match await restate.select(ended=ended, look=ctx.sleep(timedelta(seconds=POLL_AFTER_SECONDS))):
            case ["ended", _]:
                break
        if await ctx.run_typed("look", gateway.has_ended, video=video):
            break
    await ctx.run_typed("hand off", gateway.hand_off, video=video)
    return video


@videos.handler()
async def make_all(ctx: restate.Context, prompts: list[str]) -> int:
    for prompt in prompts:
        ctx.service_send(make, prompt)
    return len(prompts)


def worker() -> None:
    """Serves the handler to the server, which calls it for every job and again after a crash."""
    address = f"127.0.0.1:{os.environ['SERVICE_PORT']}"
    config = hypercorn.Config()
    config.bind = [address]
    config.h2_max_concurrent_streams = ENDLESS
    config.keep_alive_max_requests = ENDLESS
    config.keep_alive_timeout = ENDLESS

    async def serve() -> None:
        serving = asyncio.create_task(hypercorn.asyncio.serve(restate.app([videos]), config))
        await register(f"http://{address}")
        video_gateway.say("ready")
        await serving

    uvloop.run(serve())


async def register(uri: str) -> None:
    """Tell the server where the service is, as often as it takes until both listen."""
    order = {"uri": uri}
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.post(f"{os.environ['RESTATE_ADMIN_URL']}/deployments", json=order) as answer:
                if answer.ok:
                    return
            await asyncio.sleep(0.1)


def receiver() -> None:
    """Resolves the awakeable that a webhook names."""
    ingress = f"{os.environ['RESTATE_INGRESS_URL']}/restate/awakeables"

    async def taken(data: dict) -> bool:
        async with gateway.session.post(f"{ingress}/{data['session_id']}/resolve", json=True) as answer:
            return answer.ok

    video_gateway.serve(video_gateway.receiver(taken))


def submit() -> None:
    """Batches, each answered when all of its jobs are sent."""

    async def send(session: aiohttp.ClientSession, count: int) -> None:
        url = f"{os.environ['RESTATE_INGRESS_URL']}/Videos/make_all"
        async with session.post(url, json=["waves"] * count) as answer:
            answer.raise_for_status()

    async def send_all() -> None:
        async with aiohttp.ClientSession() as session:
            count = await asyncio.to_thread(video_gateway.asked)
            sizes = [min(BATCH, count - start) for start in range(0, count, BATCH)]
            await asyncio.gather(*(send(session, size) for size in sizes))
            video_gateway.say("accepted")

    uvloop.run(send_all())


if __name__ == "__main__":
    video_gateway.run({"worker": worker, "receiver": receiver, "submit": submit})
