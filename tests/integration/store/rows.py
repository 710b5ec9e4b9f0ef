"""Rows to begin with, and the time that a test tells."""

from typing import Any

from orchestrator.core.job import HandOffKind, Job, Observation, Owed, Source
from orchestrator.core.lifecycle import Seen, State, Step, Verdict
from orchestrator.core.routes import ARCHIVE, Route
from orchestrator.store import due_jobs, hand_offs, inbox, jobs, observations, workers
from orchestrator.store.database import Store, Transaction
from orchestrator.store.inbox import Entry, EntryState

START = 1_000_000.0


class Clock:
    """Epoch seconds, as far as the test has let them pass."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


def a_job(job_id: str = "job_1", state: State = State.WAITING, **facts: Any) -> Job:
    standard: dict[str, Any] = {
        "id": job_id,
        "tenant_id": "default",
        "account_id": "default",
        "request": {"model": "google/veo", "prompt": "p"},
        "state": state,
        "session_id": f"{job_id}.1",
        "accepted_at": START,
        "state_since": START,
        "deadline_at": START + 3_600,
        "destinations": (Route("folder"),),
        "due_at": START,
    }
    return Job(**standard | facts)


def keep(store: Store, *new: Job) -> None:
    with store.write() as tx:
        jobs.add(tx, new)


def read(store: Store, job_id: str = "job_1") -> Job:
    with store.read() as tx:
        found = jobs.get(tx, job_id)
    assert found is not None
    return found


def join(store: Store, *names: str) -> None:
    with store.write() as tx:
        for name in names:
            workers.join(tx, name, host="here", pid=1)


def claim(store: Store, worker: str, *, limit: int = 10, lease: float = 60.0) -> list[Job]:
    with store.write() as tx:
        return due_jobs.claim(tx, due_jobs.LOOKS, worker=worker, limit=limit, lease=lease)


def owe(
    store: Store, *indexes: int, job_id: str = "job_1", due_at: float | None = START, to: str = "folder"
) -> list[str]:
    """Owe these outputs to the folder, or to the archive; returns their keys."""
    keys = [f"{job_id}/{index}/{to}" for index in indexes]
    kind = HandOffKind.ARCHIVE if to == ARCHIVE else HandOffKind.OUTPUT
    with store.write() as tx:
        for key, index in zip(keys, indexes, strict=True):
            one = Owed(key, job_id, kind, to, due_at, output_index=index)
            assert hand_offs.owe(tx, [one]) == 1
    return keys


def owe_outcome(tx: Transaction, job_id: str, outcome: str, destination: str = "folder") -> int:
    """Owe how a job ended to one destination, now."""
    key = f"{job_id}/{outcome}/{destination}"
    return hand_offs.owe(tx, [Owed(key, job_id, HandOffKind.OUTCOME, destination, tx.now, outcome=outcome)])


def record(store: Store, job: Job, note: str = "") -> None:
    """One observation that changes nothing, numbered as the engine does."""
    with store.write() as tx:
        assert jobs.move_if_still(tx, job, {"next_seq": job.next_seq + 1})
        seen = Observation(Source.POLL, Seen.OPEN, note=note)
        observations.append_all(tx, [(job, seen, Step(job.state, Verdict.KNOWN))])


def a_delivery(event: str = "evt_1", **facts: Any) -> dict[str, Any]:
    return {
        "account_id": "default",
        "event_key": event,
        "type": "video.completed",
        "gateway_id": "G-1",
        "session_id": None,
        "state": EntryState.WAITING,
        "headers": {"x-phaseo-attempt": "1"},
        "body": b"{}",
        **facts,
    }


def remember(store: Store, event: str = "evt_1", **facts: Any) -> tuple[int, bool]:
    with store.write() as tx:
        return inbox.remember_all_once(tx, [a_delivery(event, **facts)])[0]


def entry(store: Store, entry_id: int) -> Entry:
    with store.read() as tx:
        found = inbox.get(tx, entry_id)
    assert found is not None
    return found
