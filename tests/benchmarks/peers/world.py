"""What every system of the comparison works against: a lean gateway, and the sink that takes the hand-offs.

One process, so that one clock tells when a job ended and when it was handed off, and cheap enough that it is
never the limit. Its answers and webhooks are those that the gateway gave, with other ids and times in them.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import re
import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
from aiohttp import web

from orchestrator.sandbox.video import make_video

CAPTURED = Path(__file__).parents[2] / "gateway"
CAPTURED_ID = "G-01K3ZQ8W6X2M5N7P9R1T3V5Y7Z"
GATEWAY_ID = re.compile(rb"G-[0-9A-HJKMNP-TV-Z]{26}")
RETRIES = (3.0, 3.0)  # seconds before the second and the third try of a webhook
HOOK_TIMEOUT = 30.0
LIST_REACHES = 100
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass
class Job:
    """One job, and what became of it. Times are seconds of the machine's monotonic clock."""

    id: str
    seconds: float
    hooked: bool  # whether its webhook is sent at all
    session_id: str | None
    created: float
    ended: float | None = None
    hook_answered: float | None = None
    hook_tries: int = 0
    looks: int = 0
    listed: int = 0  # times that a list told of it, until it was handed off
    handed_off: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """How jobs go."""

    shortest: float
    longest: float
    hook_url: str
    secret: str
    poll_after_seconds: float
    hooks_lost: float  # share of jobs whose webhook is never sent
    seed: int


class World:
    """Keeps jobs, ends them in their time, sends their webhooks, and notes who hands them off."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._chance = Random(plan.seed)
        self._jobs: dict[str, Job] = {}
        self._strange = 0  # hand-offs of jobs that were never created
        self._lists = 0
        self._bodies = _captured(plan.poll_after_seconds)
        self._video = make_video(plan.seed, 1, 0)
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: aiohttp.ClientSession | None = None

    def app(self) -> web.Application:
        """Gateway, sink and control on one port."""
        app = web.Application(client_max_size=1 << 20)
        app.router.add_post("/v1/videos", self.create)
        app.router.add_get("/v1/videos", self.list)
        app.router.add_get("/v1/videos/{id}", self.look)
        app.router.add_get("/v1/videos/{id}/content", self.content)
        app.router.add_get("/v1/async/video/{id}/ws", self.snapshot)
        app.router.add_post("/done", self.done)
        app.router.add_post("/done/{rest:.*}", self.done)
        app.router.add_get("/_world/counts", self.counts)
        app.router.add_get("/_world/report", self.report)
        app.on_startup.append(self._open)
        app.on_cleanup.append(self._close)
        return app

    async def _open(self, _: web.Application) -> None:
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=200), timeout=aiohttp.ClientTimeout(total=HOOK_TIMEOUT)
        )

    async def _close(self, _: web.Application) -> None:
        for task in self._tasks:
            task.cancel()
        if self._client is not None:
            await self._client.close()

    async def create(self, request: web.Request) -> web.Response:
        """A new job, whose end is drawn in the order of creation."""
        wanted = await request.json()
        plan = self._plan
        seconds = self._chance.uniform(plan.shortest, plan.longest)
        hooked = self._chance.random() >= plan.hooks_lost and "webhook" in wanted
        session = request.headers.get("x-session-id")
        job = Job(new_id(self._chance), seconds, hooked, session, time.monotonic())
        self._jobs[job.id] = job
        asyncio.get_running_loop().call_later(seconds, self._end, job)
        return _told(self._bodies["created"], job)

    def _end(self, job: Job) -> None:
        job.ended = time.monotonic()
        if job.hooked:
            task = asyncio.create_task(self._call(job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _call(self, job: Job) -> None:
        """Send the webhook of its end, and try twice more where it is not taken."""
        for pause in (*RETRIES, None):
            job.hook_tries += 1
            if await self._taken(job):
                job.hook_answered = time.monotonic()
                return
            if pause is not None:
                await asyncio.sleep(pause)

    async def _taken(self, job: Job) -> bool:
        assert self._client is not None
        body = _filled(self._bodies["hook"], job).encode()
        headers = hook_headers(job.id, job.hook_tries, self._plan.secret, body)
        try:
            async with self._client.post(self._plan.hook_url, data=body, headers=headers) as answer:
                return 200 <= answer.status < 300
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def look(self, request: web.Request) -> web.Response:
        job = self._jobs.get(request.match_info["id"])
        if job is None:
            return web.json_response(
                {"error": "not_found", "reason": "video_not_found_or_not_owned"}, status=404
            )
        job.looks += 1
        return _told(self._bodies["open" if job.ended is None else "completed"], job)

    async def list(self, _: web.Request) -> web.Response:
        """Those that changed last: the gateway's list reaches no further."""
        self._lists += 1
        recent = sorted(self._jobs.values(), key=lambda job: job.ended or job.created)[-LIST_REACHES:]
        for job in recent:
            job.listed += not job.handed_off
        rows = [_filled(self._bodies["open" if job.ended is None else "listed"], job) for job in recent[::-1]]
        ids: list[str | None] = [job.id for job in recent[::-1]] or [None]
        more = json.dumps(len(self._jobs) > LIST_REACHES)
        head = f'"first_id":{json.dumps(ids[0])},"last_id":{json.dumps(ids[-1])},"has_more":{more}'
        return _json(f'{{"object":"list","data":[{",".join(rows)}],{head}}}')

    async def content(self, request: web.Request) -> web.Response:
        """A small MP4 that no other job has: its last box holds the job's id."""
        name = request.match_info["id"].encode()
        body = self._video + (8 + len(name)).to_bytes(4) + b"free" + name
        return web.Response(body=body, content_type="video/mp4")

    async def snapshot(self, request: web.Request) -> web.StreamResponse:
        """The WebSocket, for whoever has to find out what a create without an answer did."""
        job = self._jobs[request.match_info["id"]]
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        data = json.loads(_filled(self._bodies["hook"], job))["data"] | {"session_id": job.session_id}
        if job.ended is None:
            data |= {"status": "processing", "lifecycle_status": "running", "progress": 0}
        await socket.send_json({"type": "job.snapshot", "data": data})
        await socket.receive()
        return socket

    async def done(self, request: web.Request) -> web.Response:
        """A hand-off, of whatever form: the gateway's id of the job is somewhere in it."""
        at = time.monotonic()
        found = GATEWAY_ID.search(await request.read()) or GATEWAY_ID.search(request.path.encode())
        job = self._jobs.get(found.group().decode()) if found else None
        if job is None:
            self._strange += 1
        else:
            job.handed_off.append(at)
        return web.Response()

    async def counts(self, _: web.Request) -> web.Response:
        jobs = self._jobs.values()
        ended = sum(job.ended is not None for job in jobs)
        handed = sum(bool(job.handed_off) for job in jobs)
        return web.json_response({"created": len(jobs), "ended": ended, "handed_off": handed})

    async def report(self, _: web.Request) -> web.Response:
        jobs = [asdict(job) for job in self._jobs.values()]
        return web.json_response({"jobs": jobs, "strange": self._strange, "lists": self._lists})


def new_id(chance: Random) -> str:
    """As the gateway's: a ULID after `G-`."""
    number = (int(time.time() * 1000) << 80) | chance.getrandbits(80)
    return "G-" + "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


def hook_headers(job: str, attempt: int, secret: str, body: bytes) -> dict[str, str]:
    """All nine headers (gateway contract 4.1), signed at this moment."""
    timestamp = str(int(time.time()))
    signature = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "User-Agent": "Phaseo-Async-Webhook/1.0",
        "x-phaseo-event-id": f"evt_video_{job}_video_completed",
        "x-phaseo-event-type": "video.completed",
        "x-phaseo-delivery-key": "video.completed",
        "x-phaseo-attempt": str(attempt),
        "x-phaseo-max-attempts": "4",
        "x-phaseo-timestamp": timestamp,
        "x-phaseo-signature": signature,
    }


def _captured(poll_after_seconds: float) -> dict[str, str]:
    """What the gateway said, with this guidance in it; `@…@` is what differs from job to job."""
    responses = json.loads((CAPTURED / "responses.json").read_text())["responses"]
    said = {one["label"]: one["body"] for one in responses if one["label"].startswith(("create", "google"))}
    open_, completed = (
        _object(said[f"google {name}"]) for name in ("queued->in progress", "completed (2 outputs)")
    )
    completed["outputs"] = completed["outputs"][:1]
    guided = {"poll_after_seconds": poll_after_seconds, "created_at": "@created@"}
    hooks = json.loads((CAPTURED / "webhook-examples.json").read_text())["examples"]
    hook = next(
        json.loads(one["raw_body"]) for one in hooks if one["example"] == "video.completed (attempt 1)"
    )
    moments = {"created_at": "@created@", "updated_at": "@now@", "finalized_at": "@ended@"}
    hook |= {"created_at": "@seconds@", "data": hook["data"] | moments | {"session_id": "@session@"}}
    bodies = {
        "created": _object(said["create ok (google)"]) | {"id": CAPTURED_ID, "requestId": CAPTURED_ID},
        "open": open_ | guided,
        "completed": completed | guided | {"completed_at": "@ended@"},
        "listed": completed | guided | {"completed_at": "@ended@", "outputs": [], "asset": None},
        "hook": hook,
    }
    printed = {name: json.dumps(body, separators=(",", ":")) for name, body in bodies.items()}
    # A number, and what may be null: they bring their own quotes.
    return {name: re.sub(r'"(@(?:seconds|session)@)"', r"\1", body) for name, body in printed.items()}


def _object(body: Any) -> dict[str, Any]:
    return dict(json.loads(body) if isinstance(body, str) else body)


def _filled(body: str, job: Job) -> str:
    wall, now = time.time(), time.monotonic()
    ended = wall - (now - (job.ended or now))
    moments = {
        "@created@": _iso(wall - (now - job.created)),
        "@ended@": _iso(ended),
        "@now@": _iso(wall),
        "@seconds@": str(int(wall)),
        "@session@": json.dumps(job.session_id),
    }
    body = body.replace(CAPTURED_ID, job.id)
    for name, moment in moments.items():
        body = body.replace(name, moment)
    return body


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _told(body: str, job: Job) -> web.Response:
    return _json(_filled(body, job))


def _json(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")


def new_secret() -> str:
    """`whsec_` and 43 characters, as the gateway makes them."""
    return "whsec_" + secrets.token_urlsafe(32)


def read_plan(arguments: list[str] | None = None) -> tuple[Plan, int]:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--shortest", type=float, default=3.0, help="seconds that a job takes at least")
    parser.add_argument("--longest", type=float, default=9.0)
    parser.add_argument("--hook-url", required=True)
    parser.add_argument("--secret", required=True, help="made for this run, and worth nothing after it")
    parser.add_argument("--poll-after-seconds", type=float, default=5.0)
    parser.add_argument("--hooks-lost", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    given: Mapping[str, Any] = vars(parser.parse_args(arguments))
    return Plan(**{name: value for name, value in given.items() if name != "port"}), given["port"]


async def serve(plan: Plan, port: int) -> None:
    """Until killed."""
    runner = web.AppRunner(World(plan).app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=2048).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(*read_plan()))
