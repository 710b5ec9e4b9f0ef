"""Several workers that learn at once: each lesson is folded once, and nobody waits for a purge."""

from pathlib import Path

import pytest
from sqlalchemy import select

from orchestrator.core.job import Observation, Source
from orchestrator.core.learned.hooks import read_hooks
from orchestrator.core.learned.lessons import Lesson, LessonKind
from orchestrator.core.lifecycle import Seen, State
from orchestrator.engine.learning import learn
from orchestrator.store import estimates, ledger, lessons, schema
from orchestrator.store.database import Store
from orchestrator.store.estimates import EstimateKind
from tests.integration.store.rows import START, Clock, a_job, keep, read
from tests.integration.store.together import Elsewhere, ended
from tests.integration.store.use_cases import a_process, created
from tests.integration.store.use_cases import learn as observed


def an_end(number: int, *, came: bool = True) -> list[Lesson]:
    """What the end of a job teaches that a webhook told, or a look."""
    age = 60.0 + number % 7
    data = {
        "class": f"google|veo|{number % 3}",
        "channel": "default|google",
        "tenant": "default",
        "model": "veo",
        "began_at": START - 100,
        "updates": "hybrid",
        "at": START,
        "age": age,
        "low": age - 1,
        "high": age,
        "narrow": True,
        "told_by": "webhook" if came else "poll",
        "came": came,
        "caused": False,
        "heard": age if came else None,
        "hook": None,
        "looks": 0,
        "hint": None,
    }
    return [Lesson(LessonKind.ENDED, 0.0, data), Lesson(LessonKind.CLOSED, 0.0, data)]


def note(store: Store, count: int, *, came: bool = True) -> None:
    keep(store, *(a_job(f"job_{n:03}", State.COMPLETED, looks=2) for n in range(count)))
    with store.write() as tx:
        for n in range(count):
            lessons.note(tx, f"job_{n:03}", an_end(n, came=came))


def test_each_lesson_is_folded_once(store: Store, elsewhere: Elsewhere, tmp_path: Path) -> None:
    note(store, 150)
    processes = [a_process(store, tmp_path / str(n)) for n in range(3)]
    for future in [elsewhere.begin(lambda one=one: learn(one)) for one in processes]:  # type: ignore[misc]
        ended(future)
    learn(processes[0])  # what was held at that moment by another
    with store.read() as tx:
        hooks = read_hooks(estimates.get(tx, EstimateKind.HOOKS, "default|google"))
        assert (hooks.came, hooks.missed) == (150.0, 0.0)
        counted = ledger.total(tx)
        assert (counted.jobs, counted.looks, counted.awaited, counted.rescued) == (150, 300.0, 150, 0)
        assert tx.execute(select(schema.lessons)).all() == []


def test_a_job_is_created_and_learned_from_whatever_its_model_and_size_are_called(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """JSON carries NUL characters, and the text of PostgreSQL does not: the answer to a create was lost."""
    request = {"model": "a\x00b", "prompt": "p", "size": "720\x00"}
    keep(store, a_job(state=State.CREATING, request=request))
    context = a_process(store, tmp_path)
    observed(context, created())
    clock.now += 60
    observed(context, Observation(Source.WEBHOOK, Seen.COMPLETED, gateway_id="G-1"))
    learn(context)
    assert "\x00" not in (read(store).ending_class or "\x00")
    with store.read() as tx:
        assert ledger.total(tx).jobs == 1


@pytest.mark.parametrize("kind", ["postgresql"])  # SQLite has one writer
def test_a_job_that_is_held_is_not_waited_for(
    store: Store, elsewhere: Elsewhere, clock: Clock, tmp_path: Path
) -> None:
    note(store, 2, came=False)
    clock.now += 20
    context = a_process(store, tmp_path)
    with store.write() as tx:
        tx.execute(select(schema.jobs).where(schema.jobs.c.id == "job_000").with_for_update())
        ended(elsewhere.begin(lambda: learn(context)))
    assert not read(store, "job_000").hook_missed
    assert read(store, "job_001").hook_missed
    clock.now += 1
    learn(context)
    assert read(store, "job_000").hook_missed
