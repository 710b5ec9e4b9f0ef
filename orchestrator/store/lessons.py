"""What the ends of jobs taught, until it is folded into the estimates: each lesson is taken once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select

from orchestrator.core.learned.lessons import Lesson, LessonKind
from orchestrator.store.database import Transaction
from orchestrator.store.schema import lessons


@dataclass(frozen=True, slots=True)
class Noted:
    """A lesson that is due; `id` sorts by when it was noted."""

    id: int
    job_id: str | None
    kind: LessonKind
    data: dict[str, Any]


def note(tx: Transaction, job_id: str | None, taught: Sequence[Lesson]) -> None:
    """Keep what a job taught, to be folded in when it is due."""
    if taught:
        rows = [
            {"job_id": job_id, "kind": one.kind, "due_at": tx.now + one.after, "data": one.data}
            for one in taught
        ]
        tx.execute(insert(lessons), rows)


def take_due(tx: Transaction, *, limit: int) -> list[Noted]:
    """Take out up to `limit` lessons that are due, oldest first, but for those that somebody else takes."""
    due = select(lessons.c.id).where(lessons.c.due_at <= tx.now).order_by(lessons.c.id).limit(limit)
    chosen = due.with_for_update(skip_locked=True).cte("chosen")
    taken = delete(lessons).where(lessons.c.id.in_(select(chosen.c.id)))
    columns = (lessons.c.id, lessons.c.job_id, lessons.c.kind, lessons.c.data)
    rows = sorted(tx.execute(taken.returning(*columns)), key=lambda row: int(row.id))
    return [Noted(row.id, row.job_id, LessonKind(row.kind), row.data) for row in rows]
