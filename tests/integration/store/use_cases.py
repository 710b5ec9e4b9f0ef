"""What one process does to jobs and webhooks, without a gateway to ask."""

import json
from pathlib import Path

from orchestrator import wiring
from orchestrator.core.job import Observation, Source
from orchestrator.core.lifecycle import Seen, State
from orchestrator.engine.context import Context
from orchestrator.engine.observe import observe
from orchestrator.engine.receive import receive
from orchestrator.engine.take import Receipt
from orchestrator.settings import load
from orchestrator.store import inbox, observations
from orchestrator.store.database import Store
from orchestrator.store.inbox import Entry
from orchestrator.store.observations import Recorded
from tests.integration.store.rows import START, a_job, join, keep
from tests.signing import signature

SECRET = "whsec_0123456789abcdef0123456789abcdef"


def a_process(store: Store, folder: Path) -> Context:
    """What one process works with; it never asks the gateway."""
    settings = load({}, data_dir=folder, output_dir=folder / "out", webhook_secrets=SECRET)
    context = wiring.build(settings, store, asks_gateway=False)
    context.random = lambda: 0.0
    join(store, context.worker)
    return context


def a_webhook(event: str = "completed", session: str | None = None) -> bytes:
    data = {"id": "G-1", "status": event, "session_id": session}
    return json.dumps({"id": f"evt_{event}", "type": f"video.{event}", "data": data}).encode()


def deliver(context: Context, body: bytes) -> Receipt:
    stamp = str(int(START))
    signed = {"x-phaseo-timestamp": stamp, "x-phaseo-signature": signature(SECRET, stamp, body).hex()}
    return receive(context, "default", signed, body, START)


def learn(context: Context, seen: Observation, job_id: str = "job_1") -> None:
    with context.store.write() as tx:
        observe(context, tx, job_id, seen)


def created() -> Observation:
    """What the answer to a create tells."""
    return Observation(Source.CREATE, Seen.OPEN, gateway_id="G-1", attempt_id="job_1.1")


def timeline(store: Store) -> list[Recorded]:
    with store.read() as tx:
        return observations.of_job(tx, "job_1")


def entries(store: Store) -> list[Entry]:
    with store.read() as tx:
        return inbox.recent(tx, limit=9)


def creating(store: Store) -> None:
    keep(store, a_job(state=State.CREATING, due_at=None, attempts=1))
