"""Several creates in one transaction: each begins, and its answer is kept, as it would have been alone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.core.job import Job, Observation, Source
from orchestrator.core.lifecycle import Seen, State
from orchestrator.engine.context import Context
from orchestrator.engine.create import begin_all, keep_all
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.gateway.create_answer import CREATED, REFUSED, CreateAnswer
from orchestrator.store import jobs, observations, tenants
from orchestrator.store.database import Store
from orchestrator.store.inbox import EntryState
from tests.integration.store.rows import START, a_job, keep, read
from tests.integration.store.use_cases import a_process, a_webhook, deliver, entries


@pytest.fixture
def context(store: Store, tmp_path: Path) -> Iterator[Context]:
    context = a_process(store, tmp_path)
    yield context
    context.close()


def accepted(store: Store, many: int, tenant: str = "default") -> None:
    for number in range(1, many + 1):
        job_id = f"{tenant}_{number}"
        keep(
            store,
            a_job(
                job_id, State.ACCEPTED, tenant_id=tenant, session_id=f"{job_id}.0", due_at=START - 9 + number
            ),
        )


def a_tenant(store: Store, name: str, **limits: int) -> None:
    with store.write() as tx:
        tenants.add_once(tx, name)
        tenants.change(tx, name, limits)


def begin(context: Context, many: int) -> list[Job]:
    return [job for job, _ in begin_all(context, [None] * many) if job is not None]


def made(job: Job, gateway_id: str) -> CreateAnswer:
    return CreateAnswer(CREATED, Observation(Source.CREATE, Seen.OPEN, gateway_id=gateway_id))


def test_each_that_asks_has_another_job_and_the_others_learn_that_none_is_due(
    store: Store, context: Context
) -> None:
    accepted(store, 3)
    begun = begin_all(context, [None] * 5)
    names = [job.id if job else None for job, _ in begun]
    assert sorted(filter(None, names)) == ["default_1", "default_2", "default_3"]
    assert [one for one in begun if one[0] is None] == [(None, None)] * 2
    for job, _ in begun:
        if job is not None:
            assert job == read(store, job.id)
            assert (job.state, job.session_id, job.attempts) == (State.CREATING, f"{job.id}.1", 1)
            assert job.leased_by == context.worker


def test_a_tenant_at_its_limit_is_held_and_the_other_one_goes_on(store: Store, context: Context) -> None:
    a_tenant(store, "small", max_open_jobs=1)
    accepted(store, 3, "small")
    accepted(store, 2)
    begun = begin_all(context, [None] * 5)
    assert sorted(job.id for job, _ in begun if job) == ["default_1", "default_2", "small_1"]
    assert [follow_ups for job, follow_ups in begun if job is None] == [[FollowUp(Task.CREATE, 2.0)]] * 2
    assert {read(store, f"small_{number}").state for number in (2, 3)} == {State.ACCEPTED}
    assert {read(store, f"small_{number}").leased_by for number in (2, 3)} == {None}


def test_one_that_came_too_late_is_ended_and_the_others_begin(store: Store, context: Context) -> None:
    accepted(store, 2)
    keep(store, a_job("late", State.ACCEPTED, due_at=START - 9, deadline_at=START - 1))
    assert sorted(job.id for job in begin(context, 3)) == ["default_1", "default_2"]
    assert read(store, "late").state is State.TIMED_OUT


def test_each_answer_is_kept_with_what_had_come_in_early(store: Store, context: Context) -> None:
    accepted(store, 3)
    first, second, third = sorted(begin(context, 3), key=lambda job: job.id)
    deliver(context, a_webhook())  # about G-1, before anybody knows of it
    refused = CreateAnswer(REFUSED, Observation(Source.CREATE, Seen.REFUSED))
    answers = [(second, made(second, "G-2")), (third, refused), (first, made(first, "G-1"))]
    kept = keep_all(context, answers)
    assert [one is not None for one in kept] == [True] * 3
    states = {name: read(store, name).state for name in ("default_1", "default_2", "default_3")}
    ended = [State.COMPLETED, State.WAITING, State.REJECTED]
    assert states == dict(zip(("default_1", "default_2", "default_3"), ended, strict=True))
    assert [(one.job_id, one.state) for one in entries(store)] == [("default_1", EntryState.APPLIED)]
    assert read(store, "default_2").gateway_id == "G-2"
    with store.read() as tx:
        assert [one.seen for one in observations.of_job(tx, "default_1")] == [
            Seen.ATTEMPT,
            Seen.OPEN,
            Seen.COMPLETED,
        ]


def test_an_attempt_of_a_job_that_has_another_one_by_now_is_left(store: Store, context: Context) -> None:
    accepted(store, 2)
    first, second = sorted(begin(context, 2), key=lambda job: job.id)
    older = replace(first, session_id=f"{first.id}.0")
    answers = [(first, made(first, "G-1")), (second, made(second, "G-2")), (older, made(older, "G-0"))]
    kept = keep_all(context, answers)
    assert kept[1] is not None
    assert [one is None for one in (kept[0], kept[2])].count(True) == 1, "of two about one job one is kept"


@pytest.mark.parametrize("kind", ["postgresql"])  # SQLite has one writer, who holds all
def test_one_whose_job_somebody_holds_is_left_and_waited_for_by_none(store: Store, context: Context) -> None:
    accepted(store, 2)
    first, second = sorted(begin(context, 2), key=lambda job: job.id)
    with store.write() as other:
        jobs.lock(other, first.id)
        kept = keep_all(context, [(first, made(first, "G-1")), (second, made(second, "G-2"))])
    assert kept[0] is None
    assert kept[1] is not None
    assert (read(store, first.id).state, read(store, second.id).state) == (State.CREATING, State.WAITING)
