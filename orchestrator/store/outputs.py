"""Outputs: the files of a completed job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select, update

from orchestrator.core.job import Output, OutputSeen
from orchestrator.store.database import Transaction
from orchestrator.store.schema import outputs


def learn(tx: Transaction, job_id: str, seen: Iterable[OutputSeen]) -> None:
    """Keep the outputs that a job is known to have; one that is known already stays as it is."""
    for one in seen:
        statement = tx.insert(outputs).values(
            job_id=job_id,
            index=one.index,
            mime_type=one.mime_type,
            announced_bytes=one.bytes,
            missing=False,
        )
        tx.execute(statement.on_conflict_do_nothing(index_elements=["job_id", "index"]))


def of_job(tx: Transaction, job_id: str) -> list[Output]:
    """A job's outputs by index."""
    query = select(outputs).where(outputs.c.job_id == job_id).order_by(outputs.c.index)
    return [Output(**dict(row._mapping)) for row in tx.execute(query)]


def of_jobs(tx: Transaction, job_ids: Sequence[str]) -> dict[str, list[Output]]:
    """The outputs of several jobs, by job, each by index; a job without any is not in it."""
    query = select(outputs).where(outputs.c.job_id.in_(job_ids)).order_by(outputs.c.job_id, outputs.c.index)
    found: dict[str, list[Output]] = {}
    for row in tx.execute(query):
        found.setdefault(row.job_id, []).append(Output(**dict(row._mapping)))
    return found


def get(tx: Transaction, job_id: str, index: int) -> Output | None:
    """One output."""
    query = select(outputs).where(outputs.c.job_id == job_id, outputs.c.index == index)
    row = tx.execute(query).first()
    return Output(**dict(row._mapping)) if row else None


def note(tx: Transaction, job_id: str, index: int, facts: Mapping[str, Any]) -> None:
    """Keep what fetching an output taught: its size, hash and type, or that it is missing."""
    tx.execute(update(outputs).where(outputs.c.job_id == job_id, outputs.c.index == index).values(**facts))
