"""What a person looks for is found whole, page after page, whichever index leads to it."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from orchestrator.core.blame import Fault, Met
from orchestrator.core.job import HandOffState, Job
from orchestrator.core.lifecycle import State
from orchestrator.store import faults, figures, job_search, jobs, tenants
from orchestrator.store.database import Store
from orchestrator.store.job_ranges import Undone, Wanted
from orchestrator.store.schema import hand_offs
from tests.integration.store.rows import START, a_job, keep, owe

MANY = 120
PAGE = 7
STATES = (State.WAITING, State.COMPLETED, State.FAILED, State.UNCERTAIN, State.ACCEPTED)
MODELS = ("veo", "sora", None)

Fits = Callable[[Job], bool]


def made(number: int) -> Job:
    state = STATES[number % len(STATES)]
    model = MODELS[number % len(MODELS)]
    return a_job(
        f"job_{number:05}",
        state,
        tenant_id=("default", "other")[number % 7 == 0],
        reference=f"r-{number % 4}" if number % 3 else None,
        model=model,
        request={"model": "asked" if number % 2 else "sora", "prompt": "p"},
        blame=Fault.PROVIDER if state is State.FAILED else None,
        gateway_id=f"G-{number}",
        cost_usd=0.25 if state is State.COMPLETED else None,
        cancel_requested_at=START if number % 11 == 0 else None,
        retry_of=f"job_{number - 1:05}" if number % 10 == 3 else None,
    )


@pytest.fixture
def all_jobs(store: Store) -> list[Job]:
    every = [made(number) for number in range(MANY)]
    with store.write() as tx:
        tenants.add_once(tx, "other")
    keep(store, *every)
    with store.write() as tx:
        for job in every[::9]:
            faults.note(tx, jobs.lock(tx, job.id), Met(Fault.POLL_FAULT, "no answer"))
    for job in every[::8]:
        owe(store, 0, job_id=job.id)
    with store.write() as tx:
        tx.execute(update(hand_offs).where(hand_offs.c.id % 2 == 0).values(state=HandOffState.DEAD))
    return every


def found(store: Store, wanted: Wanted, **how: Any) -> list[str]:
    """All pages."""
    ids: list[str] = []
    before = None
    for _ in range(2 * MANY):
        with store.read() as tx:
            page = job_search.find(tx, wanted, limit=PAGE, before=before, **how)
        ids += page.ids
        before = page.following
        if before is None:
            return ids
    raise AssertionError("the pages have no end")


def with_hand_off(store: Store, state: HandOffState) -> set[str]:
    with store.read() as tx:
        rows = tx.execute(hand_offs.select().where(hand_offs.c.state == state))
        return {row.job_id for row in rows}


def test_every_filter_finds_exactly_what_fits_newest_first_and_nothing_twice(
    store: Store, all_jobs: list[Job]
) -> None:
    dead, owed = (with_hand_off(store, state) for state in (HandOffState.DEAD, HandOffState.OWED))
    met = {job.id for job in all_jobs[::9]}
    retried = {job.retry_of for job in all_jobs}
    filters: list[tuple[dict[str, Any], Fits]] = [
        ({}, lambda job: True),
        ({"states": (State.FAILED,)}, lambda job: job.state is State.FAILED),
        (
            {"states": (State.WAITING, State.ACCEPTED)},
            lambda job: job.state in (State.WAITING, State.ACCEPTED),
        ),
        ({"reference": "r-2"}, lambda job: job.reference == "r-2"),
        ({"model": "sora"}, lambda job: (job.model or job.request["model"]) == "sora"),
        ({"fault": Fault.PROVIDER}, lambda job: job.blame is Fault.PROVIDER),
        ({"fault": Fault.POLL_FAULT}, lambda job: job.id in met),
        ({"undone": Undone.GIVEN_UP}, lambda job: job.id in dead),
        ({"undone": Undone.OWED}, lambda job: job.id in owed),
        ({"uncancelled": True}, lambda job: job.cancel_requested_at is None),
        ({"not_retried": True}, lambda job: job.id not in retried),
        ({"newest": "job_00050"}, lambda job: job.id <= "job_00050"),
    ]
    for one, other in itertools.combinations(filters, 2):
        for tenant in (None, "default", "other"):
            wanted = replace(Wanted(tenant_id=tenant), **one[0] | other[0])
            both = (other,) if one[0].keys() & other[0].keys() else (one, other)
            fitting = [
                job.id
                for job in reversed(all_jobs)
                if tenant in (None, job.tenant_id) and all(fits(job) for _, fits in both)
            ]
            assert found(store, wanted) == fitting, wanted


def test_what_no_index_leads_to_is_looked_through_in_parts_and_still_found_whole(
    store: Store, all_jobs: list[Job]
) -> None:
    fitting = [job.id for job in reversed(all_jobs) if job.model == "veo" and job.state is State.FAILED]
    wanted = Wanted(model="veo", states=(State.FAILED,))
    assert fitting
    assert found(store, wanted, through=PAGE + 1) == fitting
    with store.read() as tx:
        rare = job_search.find(tx, Wanted(model="none such"), limit=PAGE, through=20)
    assert (rare.ids, rare.cut) == ((), True)
    assert rare.following == all_jobs[-job_search.FEWEST - 1].id


def test_a_job_is_known_by_its_id_its_beginning_and_the_gateway_s_id_to_its_tenant_alone(
    store: Store, all_jobs: list[Job]
) -> None:
    theirs = next(job for job in all_jobs if job.tenant_id == "other")
    with store.read() as tx:
        assert job_search.called(tx, None, "job_00042", limit=9) == ["job_00042"]
        assert job_search.called(tx, None, "job_0004", limit=3) == ["job_00049", "job_00048", "job_00047"]
        assert job_search.called(tx, None, "G-42", limit=9) == ["job_00042"]
        for name in (theirs.id, theirs.gateway_id or ""):
            assert job_search.called(tx, "other", name, limit=9) == [theirs.id]
            assert job_search.called(tx, "default", name, limit=9) == []
        for nothing in ("", "\x00", "r-2", "x" * 1_000):
            assert job_search.called(tx, None, nothing, limit=9) == []


def test_figures_are_of_the_tenants_that_are_meant_and_say_where_they_stop_counting(
    store: Store, all_jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = [job for job in all_jobs if job.state is State.WAITING]
    ours = [job for job in waiting if job.tenant_id == "default"]
    dead, owing = with_hand_off(store, HandOffState.DEAD), {job.id for job in all_jobs[::8]}
    with store.read() as tx:
        assert figures.in_states(tx, ["default"])[State.WAITING] == figures.Count(len(ours))
        assert figures.in_states(tx, ["default", "other"])[State.WAITING] == figures.Count(len(waiting))
        assert figures.dead(tx, ["default", "other"])[1] == figures.Count(len(dead))
        assert figures.owed(tx, ["default", "other"]).jobs == figures.Count(len(owing - dead))
        behind = figures.behind(tx, ["default", "other"], since=START, held=["other"])
        assert behind["look"] == figures.Count(sum(job.state is not State.ACCEPTED for job in all_jobs))
        accepted = [job for job in all_jobs if job.state is State.ACCEPTED and job.tenant_id == "default"]
        assert behind["create"] == figures.Count(len(accepted))
        costs, cut = figures.costs(tx, ["other"], since=0)
        completed = [job for job in all_jobs if job.state is State.COMPLETED and job.tenant_id == "other"]
        assert (costs["other"].usd, cut) == (0.25 * len(completed), False)
        monkeypatch.setattr(figures, "COUNTED", 5)
        assert figures.in_states(tx, ["default"])[State.WAITING] == figures.Count(5, more=True)
