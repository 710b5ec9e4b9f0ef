"""Speaking with a running sandbox's own routes."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx

from orchestrator.cli.database import opened
from orchestrator.engine import standing
from orchestrator.errors import NotAllowed, NotFound, Unreachable
from orchestrator.settings import Settings


def send_event(base_url: str, gateway_id: str, event: str) -> None:
    """Let the sandbox send an event of a job. Raises NotFound, NotAllowed or Unreachable."""
    parts = urlsplit(base_url)
    address = f"{parts.scheme}://{parts.netloc}/_sandbox/jobs/{gateway_id}/trigger"
    try:
        answer = httpx.post(address, json={"event": event}, timeout=10)
    except httpx.HTTPError as error:
        raise Unreachable(
            f"no sandbox answers at {base_url}: {error}", hint="start `orchestrator sandbox`"
        ) from error
    if answer.is_success:
        return
    kind = NotFound if answer.status_code == 404 else NotAllowed
    raise kind(_complaint(answer), hint=f"is {base_url} a sandbox, and is the job one of its jobs?")


def gateway_id_of(settings: Settings, name: str) -> str:
    """The gateway's id of a job that is named in any way."""
    if name.startswith("G-"):
        return name
    with opened(settings) as context, context.store.read() as tx:
        job = standing.find(tx, name)
    if job.gateway_id is None:
        raise NotAllowed(f"{job.id} is {job.state}: the gateway has not answered with an id yet")
    return job.gateway_id


def _complaint(answer: httpx.Response) -> str:
    try:
        told = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        told = None
    return told if isinstance(told, str) else f"the sandbox answered {answer.status_code}"
