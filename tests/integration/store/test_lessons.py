"""Lessons: kept with the end of a job, folded once, whoever else learns or purges at that moment."""

from typing import Any

import pytest
from sqlalchemy import insert, select

from orchestrator.core.learned.lessons import Lesson, LessonKind
from orchestrator.core.lifecycle import State
from orchestrator.store import lessons, schema
from orchestrator.store.database import Store
from orchestrator.store.lessons import Noted, Told
from tests.integration.store.rows import START, Clock, a_job, keep, read
from tests.integration.store.together import Elsewhere, ended


def note(store: Store, job_id: str | None = "job_1", *after: float, **data: Any) -> None:
    with store.write() as tx:
        lessons.note(tx, job_id, [Lesson(LessonKind.ENDED, seconds, data) for seconds in after or (0.0,)])


def due(store: Store, limit: int = 10) -> list[Noted]:
    with store.write() as tx:
        return lessons.hold_due(tx, limit=limit)


def test_a_lesson_is_there_once_it_is_due_and_until_it_is_forgotten(store: Store, clock: Clock) -> None:
    keep(store, a_job())
    note(store, "job_1", 0.0, 5.0, number=1)
    with store.write() as tx:
        (first,) = lessons.hold_due(tx, limit=10)
        assert (first.kind, first.data) == (LessonKind.ENDED, {"number": 1})
        lessons.forget(tx, [first.id])
        assert not lessons.any_due(tx)
    clock.now += 5
    (second,) = due(store)
    with store.write() as tx:
        assert lessons.any_due(tx)
        lessons.put_off(tx, {second.id: 30.0})
    assert not due(store)
    clock.now += 30
    assert [one.id for one in due(store)] == [second.id]


def test_lessons_come_in_the_order_in_which_they_are_due(store: Store, clock: Clock) -> None:
    keep(store, a_job())
    for number, after in enumerate((9.0, 1.0, 5.0)):
        note(store, "job_1", after, number=number)
    clock.now += 10
    assert [one.data["number"] for one in due(store, limit=2)] == [1, 2]


def test_what_a_newer_program_noted_is_left_to_it_until_it_is_old(store: Store, clock: Clock) -> None:
    with store.write() as tx:
        tx.execute(insert(schema.lessons).values(kind="dreamt", due_at=START, data={}))
        assert not lessons.any_due(tx)
        assert lessons.hold_due(tx, limit=10) == []
        assert lessons.prune(tx, before=START) == 0
        assert lessons.prune(tx, before=START + 1) == 1


def test_a_missed_webhook_is_one_that_has_not_come(store: Store) -> None:
    keep(store, a_job("job_1", State.COMPLETED, looks=3), a_job("job_2", State.COMPLETED, hook_at=START + 1))
    with store.write() as tx:
        told = lessons.hold_jobs(tx, ["job_1", "job_2", "gone"])
        assert told == {"job_1": Told(3, None), "job_2": Told(0, START + 1)}
        assert lessons.look_at_jobs(tx, ["job_1"]) == {"job_1": Told(3, None)}
        lessons.count_as_missed(tx, ["job_1", "job_2"])
    assert read(store, "job_1").hook_missed
    assert not read(store, "job_2").hook_missed


@pytest.mark.parametrize("kind", ["postgresql"])  # SQLite has one writer
def test_what_somebody_holds_is_left_out_and_not_waited_for(store: Store, elsewhere: Elsewhere) -> None:
    keep(store, a_job("job_1"), a_job("job_2"))
    note(store, "job_1")
    note(store, "job_2")
    with store.write() as tx:
        (mine,) = lessons.hold_due(tx, limit=1)
        assert lessons.hold_jobs(tx, ["job_1"])
        others = ended(elsewhere.begin(lambda: due(store)))
        assert [mine.job_id, *(one.job_id for one in others)] == ["job_1", "job_2"]

        def jobs_free() -> set[str]:
            with store.write() as other:
                return set(lessons.hold_jobs(other, ["job_1", "job_2"]))

        assert ended(elsewhere.begin(jobs_free)) == {"job_2"}


def test_lessons_of_a_job_go_with_it(store: Store) -> None:
    keep(store, a_job())
    note(store)
    with store.write() as tx:
        tx.execute(schema.jobs.delete())
        assert tx.execute(select(schema.lessons)).all() == []


def test_it_is_known_which_endpoints_webhooks_are_not_folded_yet(store: Store, clock: Clock) -> None:
    keep(store, a_job())
    note(store, "job_1", channel="a_c|google", came=True)
    note(store, "job_1", channel="b|google", came=False)
    note(store, "job_1", 5.0, channel="c|google", came=True)
    note(store, None, channel=None)

    def unfolded() -> list[str]:
        with store.read() as tx:
            return [name for name in ("a_c", "abc", "a", "b", "c") if lessons.tell_of_webhooks(tx, name)]

    assert unfolded() == ["a_c"]
    clock.now += 5
    assert unfolded() == ["a_c", "c"]
