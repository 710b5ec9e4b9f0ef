"""What there is at the end of the demo: rows, files, and the sandbox's own account, read anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import httpx

from orchestrator.engine import standing
from orchestrator.engine.standing import Standing
from orchestrator.store import inbox
from orchestrator.store.database import Store
from orchestrator.store.inbox import Entry


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is on the disk now."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is known of one job. `gets` are the looks that the sandbox counted."""

    standing: Standing
    entries: tuple[Entry, ...]
    files: dict[str, File]
    gets: int | None
    served: dict[int, str]


def gather(store: Store, control: httpx.Client, job_id: str) -> Evidence:
    """The evidence about one job."""
    with store.read() as tx:
        found = standing.read(tx, [job_id])[0]
        entries = tuple(inbox.of_job(tx, job_id))
    gateway_id = found.job.gateway_id
    return Evidence(
        standing=found,
        entries=entries,
        files=dict(_files(one.location for one in found.hand_offs)),
        gets=_gets(control, gateway_id) if gateway_id else None,
        served={one.index: _served(control, str(gateway_id), one.index) for one in found.outputs},
    )


def _files(locations: Iterable[str | None]) -> Iterable[tuple[str, File]]:
    for location in locations:
        if location is not None and Path(location).is_file():
            content = Path(location).read_bytes()
            yield location, File(len(content), hashlib.sha256(content).hexdigest())


def _gets(control: httpx.Client, gateway_id: str) -> int | None:
    rows = control.get("/_sandbox/jobs", params={"id": gateway_id}).json()["jobs"]
    return rows[0]["gets"] if rows else None


def _served(control: httpx.Client, gateway_id: str, index: int) -> str:
    """The hash of an output as the sandbox serves it."""
    answer = control.get(f"/v1/videos/{gateway_id}/content", params={"index": index} if index else {})
    return hashlib.sha256(answer.content).hexdigest() if answer.is_success else f"status {answer.status_code}"
