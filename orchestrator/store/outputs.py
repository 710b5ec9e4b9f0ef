"""Outputs: the files of a completed job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Integer, Select, String, bindparam, exists, select, update

from orchestrator.core.job import HandOffKind, HandOffState, Output, OutputSeen
from orchestrator.store.database import Transaction
from orchestrator.store.given import add_rows, among
from orchestrator.store.schema import hand_offs, outputs

# What is or was owed to the archive says that it is kept: there is no second place to say so, or otherwise.
_WAY = (
    hand_offs.c.job_id == outputs.c.job_id,
    hand_offs.c.kind == HandOffKind.ARCHIVE,
    hand_offs.c.output_index == outputs.c.index,
    hand_offs.c.state != HandOffState.WITHDRAWN,
)
_OUTPUTS = select(outputs, exists().where(*_WAY).label("kept"))

_MINE = outputs.c.job_id == bindparam("of_job", type_=String)
_OF_JOB = _OUTPUTS.where(_MINE).order_by(outputs.c.index)
_NOTE = update(outputs).where(_MINE, outputs.c.index == bindparam("at_index", type_=Integer))


@cache
def _of_jobs(dialect: str) -> Select[Any]:
    theirs = _OUTPUTS.where(among(dialect, outputs.c.job_id, "of_jobs"))
    return theirs.order_by(outputs.c.job_id, outputs.c.index)


def learn_all(tx: Transaction, seen: Sequence[tuple[str, OutputSeen]]) -> None:
    """Keep outputs that jobs, by their ids, are known to have; one that is known already stays as it is."""
    rows = [
        {
            "job_id": job_id,
            "index": one.index,
            "mime_type": one.mime_type,
            "announced_bytes": one.bytes,
            "missing": False,
        }
        for job_id, one in seen
    ]
    add_rows(tx, outputs, rows, unless_there=("job_id", "index"))


def of_job(tx: Transaction, job_id: str) -> list[Output]:
    """A job's outputs by index."""
    return [Output(**dict(row._mapping)) for row in tx.execute(_OF_JOB, {"of_job": job_id})]


def of_jobs(tx: Transaction, job_ids: Sequence[str]) -> dict[str, list[Output]]:
    """The outputs of several jobs, by job, each by index; a job without any is not in it."""
    found: dict[str, list[Output]] = {}
    for row in tx.execute(_of_jobs(tx.dialect), {"of_jobs": list(job_ids)}) if job_ids else ():
        found.setdefault(row.job_id, []).append(Output(**dict(row._mapping)))
    return found


def get(tx: Transaction, job_id: str, index: int) -> Output | None:
    """One output."""
    query = _OUTPUTS.where(outputs.c.job_id == job_id, outputs.c.index == index)
    row = tx.execute(query).first()
    return Output(**dict(row._mapping)) if row else None


def note(tx: Transaction, job_id: str, index: int, facts: Mapping[str, Any]) -> None:
    """Keep what fetching an output taught: its size, hash and type, or that it is missing."""
    tx.execute(_NOTE, {"of_job": job_id, "at_index": index, **facts})
