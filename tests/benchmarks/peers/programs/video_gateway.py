"""What the programs of peers have in common: the gateway, its webhook, the hand-off, and how roles are run.

Nothing of a peer is in here. Every peer is given the same HTTP client and the same web server, the quickest
of those in common use, so that only the peers differ.

What is sent as `x-session-id` with the create comes back in the webhook as `data.session_id`. Peers put
there what they find the waiting job by: a workflow's id, an awakeable, a callback.
"""

import hashlib
import hmac
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

POLL_AFTER_SECONDS = float(os.environ["POLL_AFTER_SECONDS"])
CONNECTIONS = 100
TERMINAL = frozenset({"completed", "failed", "cancelled", "expired"})
EVENTS = ["video.completed", "video.failed"]

Taken = Callable[[dict], Awaitable[bool]]


def order(prompt: str) -> dict:
    """The body of a create."""
    webhook = {"endpoint_id": os.environ["WEBHOOK_ENDPOINT_ID"], "events": EVENTS}
    return {"model": "lean", "prompt": prompt, "duration": 4, "webhook": webhook}


class Gateway:
    """The gateway's client, opened by the first call: on the event loop that uses it."""

    def __init__(self) -> None:
        self._url = os.environ["GATEWAY_URL"]
        self._key = os.environ["GATEWAY_API_KEY"]
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS))
        return self._session

    async def create(self, prompt: str, reference: str) -> str:
        """Start a video. The gateway's id of it is the answer."""
        headers = {"Authorization": f"Bearer {self._key}", "x-session-id": reference}
        async with self.session.post(f"{self._url}/videos", json=order(prompt), headers=headers) as answer:
            answer.raise_for_status()
            return str((await answer.json())["id"])

    async def has_ended(self, video: str) -> bool:
        """One look at a video."""
        headers = {"Authorization": f"Bearer {self._key}"}
        async with self.session.get(f"{self._url}/videos/{video}", headers=headers) as answer:
            answer.raise_for_status()
            return (await answer.json())["status"] in TERMINAL

    async def hand_off(self, video: str) -> None:
        """Tell whoever waits for it."""
        async with self.session.post(os.environ["SINK_URL"], json={"video": video}) as answer:
            answer.raise_for_status()


def verified(headers: Mapping[str, str], body: bytes) -> dict | None:
    """The delivery in the body, or None where the signature is not the gateway's."""
    timestamp = headers.get("x-phaseo-timestamp", "")
    secret = os.environ["WEBHOOK_SECRET"].encode()
    expected = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, headers.get("x-phaseo-signature", "")):
        return None
    return json.loads(body)


def receiver(
    taken: Taken, lifespan: Callable[[Starlette], AbstractAsyncContextManager] | None = None
) -> Starlette:
    """The web application for webhooks. `taken` stores what one says, and answers whether it could."""

    async def webhook(request: Request) -> Response:
        delivery = verified(request.headers, await request.body())
        if delivery is None:
            return Response(status_code=401)
        stored = await taken(delivery["data"])
        return Response(status_code=204 if stored else 503)  # the gateway tries again

    return Starlette(routes=[Route("/webhook", webhook, methods=["POST"])], lifespan=lifespan)


class Announced(uvicorn.Server):
    """Says `ready` when it listens."""

    async def startup(self, sockets: list | None = None) -> None:
        await super().startup(sockets)
        say("ready")


def serve(app: Starlette) -> None:
    """Serve webhooks until killed."""
    port = int(os.environ["PORT"])
    Announced(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)).run()


def asked() -> int:
    """How many jobs to submit, once whoever started this says so. Blocks."""
    say("ready")
    return int(sys.stdin.readline())


def say(word: str) -> None:
    """To the one that started this."""
    print(word, flush=True)


def run(roles: Mapping[str, Callable[[], None]]) -> None:
    """Be the role that the command line names."""
    roles[sys.argv[1]]()
