"""Restate: a handler per job that creates the video, awaits an awakeable or a timer, and hands off.

As its makers show it in "External Events" and "Scheduling & Timers": the id of the awakeable goes to the
gateway with the create, the receiver resolves it over the ingress, and the handler selects between it and a
sleep, after which a journaled step looks at the gateway. Served by Hypercorn over HTTP/2 with the limits of
their production configuration. `submit` sends to the ingress without waiting for results.

The harness starts `restate-server` first (npm `@restatedev/restate-server`), with a data folder of its own:

    RESTATE_BASE_DIR=… RESTATE_BIND_ADDRESS=127.0.0.1:… RESTATE_INGRESS__BIND_ADDRESS=127.0.0.1:…
    RESTATE_ADMIN__BIND_ADDRESS=127.0.0.1:… DO_NOT_TRACK=1 restate-server

and waits for a 200 of `GET {RESTATE_ADMIN_URL}/health`. The worker registers itself by the admin API once
it listens, and says `ready` when that was accepted.
"""

import asyncio
import os
from datetime import timedelta

import aiohttp
import hypercorn
import hypercorn.asyncio
import restate
import video_gateway
from video_gateway import CONNECTIONS, POLL_AFTER_SECONDS, Gateway

ROLES = ("worker", "receiver")
ENDLESS = 2_147_483_647
videos = restate.Service("Videos")
gateway = Gateway()


@videos.handler()
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

    asyncio.run(serve())


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
    """Sends all jobs to the ingress at once."""

    async def send(session: aiohttp.ClientSession) -> None:
        async with session.post(
            f"{os.environ['RESTATE_INGRESS_URL']}/Videos/make/send", json="waves"
        ) as answer:
            answer.raise_for_status()

    async def send_all() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:
            count = await asyncio.to_thread(video_gateway.asked)
            await asyncio.gather(*(send(session) for _ in range(count)))
            video_gateway.say("accepted")

    asyncio.run(send_all())


if __name__ == "__main__":
    video_gateway.run({"worker": worker, "receiver": receiver, "submit": submit})
