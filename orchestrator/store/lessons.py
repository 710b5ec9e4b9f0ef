"""What the ends of jobs taught, until it is folded into the estimates: each lesson is folded once."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, exists, select, update

from orchestrator.core.learned.classes import everywhere
from orchestrator.core.learned.lessons import Lesson, LessonKind
from orchestrator.store.database import Transaction
from orchestrator.store.given import add_rows, given_rows
from orchestrator.store.schema import jobs, lessons

# Not those of a newer program: it folds them.
_OURS = lessons.c.kind.in_(list(LessonKind))


@dataclass(frozen=True, slots=True)
class Noted:
    """A lesson that is due; `id` sorts by when it was noted."""

    id: int
    job_id: str | None
    kind: LessonKind
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a lesson's job some time after its end."""

    looks: int
    hook_at: float | None


def note(tx: Transaction, job_id: str | None, taught: Sequence[Lesson]) -> None:
    """Keep what a job taught, to be folded in when it is due."""
    note_all(tx, [(job_id, one) for one in taught])


def note_all(tx: Transaction, taught: Sequence[tuple[str | None, Lesson]]) -> None:
    """The same of several jobs, in one statement."""
    rows = [
        {"job_id": job_id, "kind": one.kind, "due_at": tx.now + one.after, "data": one.data}
        for job_id, one in taught
    ]
    add_rows(tx, lessons, rows)


def any_due(tx: Transaction, *, waited: float = 0.0) -> bool:
    """Whether there is anything to fold that has been due for so many seconds."""
    return bool(tx.execute(select(exists().where(lessons.c.due_at <= tx.now - waited, _OURS))).scalar_one())


def tell_of_webhooks(tx: Transaction, account_id: str) -> bool:
    """Whether webhooks of the account's endpoint came of which nothing is folded yet."""
    told = lessons.c.data["came"].as_boolean() & lessons.c.data["channel"].as_string().startswith(
        everywhere(account_id).removesuffix("*"), autoescape=True
    )
    asked = select(exists().where(lessons.c.kind == LessonKind.ENDED, lessons.c.due_at <= tx.now, told))
    return bool(tx.execute(asked).scalar_one())


def hold_due(tx: Transaction, *, limit: int) -> list[Noted]:
    """Hold up to `limit` lessons that are due, the longest due first, but for those that somebody holds.

    Whoever holds them waits for no job, or a purge that waits for them could wait for ever.
    """
    due = select(lessons).where(lessons.c.due_at <= tx.now, _OURS).order_by(lessons.c.due_at, lessons.c.id)
    rows = tx.execute(due.limit(limit).with_for_update(skip_locked=True))
    return [Noted(row.id, row.job_id, LessonKind(row.kind), row.data) for row in rows]


def hold_jobs(tx: Transaction, job_ids: Collection[str]) -> dict[str, Told]:
    """Hold the jobs that lessons are about, but for those that somebody holds: what is known of them."""
    these = select(jobs.c.id, jobs.c.looks, jobs.c.hook_at).where(jobs.c.id.in_(job_ids))
    rows = tx.execute(these.order_by(jobs.c.id).with_for_update(skip_locked=True, key_share=True))
    return {row.id: Told(row.looks, row.hook_at) for row in rows}


def look_at_jobs(tx: Transaction, job_ids: Collection[str]) -> dict[str, Told]:
    """The same, without holding them."""
    these = select(jobs.c.id, jobs.c.looks, jobs.c.hook_at).where(jobs.c.id.in_(job_ids))
    return {row.id: Told(row.looks, row.hook_at) for row in tx.execute(these)}


def count_as_missed(tx: Transaction, job_ids: Collection[str]) -> None:
    """The webhooks of these jobs, which are held, did not come; one that does from now on was late."""
    if job_ids:
        these = update(jobs).where(jobs.c.id.in_(job_ids), jobs.c.hook_at.is_(None))
        tx.execute(these.values(hook_missed=True))


def forget(tx: Transaction, ids: Collection[int]) -> None:
    """These are folded in."""
    if ids:
        tx.execute(delete(lessons).where(lessons.c.id.in_(ids)))


def put_off(tx: Transaction, waits: Mapping[int, float]) -> None:
    """These are due again in so many seconds; all in one statement."""
    if waits:
        rows = given_rows(tx, (lessons.c.id, lessons.c.due_at), "put_off")
        later = update(lessons).where(lessons.c.id == rows.c.id).values(due_at=rows.c.due_at)
        given = [{"id": lesson_id, "due_at": tx.now + seconds} for lesson_id, seconds in waits.items()]
        tx.execute(later, {"put_off": json.dumps(given)})


def prune(tx: Transaction, *, before: float) -> int:
    """Forget what was due before then and nobody could fold."""
    return tx.execute(delete(lessons).where(lessons.c.due_at < before)).rowcount
