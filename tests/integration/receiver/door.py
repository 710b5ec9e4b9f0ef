"""A receiver on a socket, jobs for it to know, and deliveries like the gateway's."""

import json
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from pydantic import SecretStr
from sqlalchemy import text

from orchestrator.core.job import Job
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import Route
from orchestrator.engine.follow_up import FollowUp
from orchestrator.store import inbox, jobs
from orchestrator.store.inbox import Entry, Rejection
from orchestrator.web.receiver import make_receiver
from tests.integration.engine.harness import Engine
from tests.patience import LONG
from tests.sandbox.harness import until
from tests.signing import signature

EXAMPLES: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "gateway" / "webhook-examples.json").read_text()
)
SECRET, OTHER_SECRET = "whsec_ours", "whsec_of_another_account"
GATEWAY_ID = "G-01K3ZQ8W6X2M5N7P9R1T3V5Y7Z"


def example(name: str) -> dict[str, Any]:
    """The payload of one of the gateway's own deliveries."""
    raw = next(one["raw_body"] for one in EXAMPLES["examples"] if one["example"].startswith(name))
    payload: dict[str, Any] = json.loads(raw)
    return payload


@dataclass(frozen=True)
class Delivery:
    """A webhook about to be sent; signed at `at` with `secret`."""

    body: bytes
    at: float
    secret: str = SECRET
    family: str = "x-phaseo"
    content_type: str | None = "application/json"

    @property
    def headers(self) -> dict[str, str]:
        stamp = str(int(self.at))
        signed = {
            f"{self.family}-timestamp": stamp,
            f"{self.family}-signature": signature(self.secret, stamp, self.body).hex(),
        }
        return signed | ({"content-type": self.content_type} if self.content_type else {})


class Door:
    """A running receiver. Its wall clock and its database clock stand at `engine.now`."""

    def __init__(self, folder: Path) -> None:
        self.engine = Engine(
            folder,
            "http://127.0.0.1:1/v1",
            webhook_secrets=SECRET,
            webhook_max_bytes=64 * 1024,
            rejected_keep=5,
            rejected_per_minute=8,
        )
        self.context = self.engine.context
        secrets = dict(self.context.webhook_secrets) | {"other": (SecretStr(OTHER_SECRET),)}
        self.context.webhook_secrets = secrets
        with self.engine.store.write() as tx:
            tx.execute(text("INSERT INTO accounts (id, tenant_id, name) VALUES ('other', 'default', 'o')"))
        self.sent: list[FollowUp] = []

    def open(self, send: Callable[[Iterable[FollowUp]], None] | None = None) -> None:
        """Listen, and return once requests are answered. Without a sender, what is to be sent is kept."""
        app = make_receiver(
            self.context, send or self.sent.extend, lambda: self.engine.now, beat_expected=False
        )
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listening]})
        self._thread.start()
        until(lambda: self._server.started)
        one_each = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", timeout=LONG, limits=one_each, verify=False
        )

    def close(self) -> None:
        self.http.close()
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()

    def delivery(self, body: dict[str, Any] | bytes, **more: Any) -> Delivery:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return replace(Delivery(raw, self.engine.now), **more)

    def post(self, body: dict[str, Any] | bytes, account: str = "default", **more: Any) -> httpx.Response:
        return self.send(self.delivery(body, **more), account)

    def send(self, delivery: Delivery, account: str = "default", **headers: str) -> httpx.Response:
        path = f"/webhooks/gateway/{account}"
        return self.http.post(path, content=delivery.body, headers=delivery.headers | headers)

    def raw(self, request: bytes, *, hang_up: bool = False) -> bytes:
        """Send bytes as they are; what comes back until the connection closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=LONG) as connection:
            connection.sendall(request)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            while part := connection.recv(65_536):
                answer += part
            return answer

    # what is there

    def knows(self, gateway_id: str | None = GATEWAY_ID, **facts: Any) -> Job:
        """A job that waits; its gateway id is that of the gateway's own examples."""
        now = self.engine.now
        standard: dict[str, Any] = {
            "id": "job_1",
            "tenant_id": "default",
            "account_id": "default",
            "request": {"model": "m"},
            "state": State.WAITING,
            "session_id": "job_1.1",
            "accepted_at": now,
            "state_since": now,
            "deadline_at": now + 3600,
            "destinations": (Route("folder"),),
            "gateway_id": gateway_id,
        }
        job = Job(**standard | facts)
        with self.engine.store.write() as tx:
            jobs.add(tx, [job])
        return job

    def job(self, job_id: str = "job_1") -> Job:
        return self.engine.job(job_id)

    @property
    def inbox(self) -> list[Entry]:
        with self.engine.store.read() as tx:
            return inbox.recent(tx, limit=50)

    @property
    def ring(self) -> list[Rejection]:
        with self.engine.store.read() as tx:
            return inbox.recent_rejections(tx, limit=50)
