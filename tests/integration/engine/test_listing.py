"""One list before many looks: whom it settles, whom it spares a request, and who is asked about anyway."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from orchestrator.core.job import Source, Updates
from orchestrator.core.learned.lessons import LessonKind
from orchestrator.core.learned.lists import GET_EVERY, Freshness, gets_anyway
from orchestrator.core.lifecycle import State
from orchestrator.engine import unasked
from orchestrator.engine.observe import observe
from orchestrator.engine.pacing import Pacer
from orchestrator.gateway.client import Gateway
from orchestrator.store import estimates, jobs, schema, tenants
from orchestrator.store.estimates import EstimateKind
from tests.integration.engine import test_pacing as pacing
from tests.integration.engine.harness import MODEL, Engine, NewEngine
from tests.integration.engine.listing_stage import Stage
from tests.sandbox.harness import Sandbox

GOOGLE, XAI = "google-ai-studio", "x-ai"
GROK = {"model": "x-ai/grok-video"}


def requests(sandbox: Sandbox) -> tuple[int, int]:
    """How many lists the gateway was asked for, and how many GETs of jobs."""
    rows = sandbox.control.get("/requests", params={"method": "GET", "path": "/v1/videos"}).json()
    gets = sandbox.control.get("/requests", params={"method": "GET", "path": "/v1/videos/"}).json()
    return int(rows["count"]) - int(gets["count"]), int(gets["count"])


def know(engine: Engine, *providers: str, fresh: float = 60.0, stale: float = 0.0) -> None:
    """Let it be known how fresh the list is for these."""
    with engine.store.write() as tx:
        for provider in providers:
            estimates.lock(tx, EstimateKind.LISTS, f"default|{provider}")
            told = Freshness(fresh, stale).as_json()
            estimates.write(tx, EstimateKind.LISTS, f"default|{provider}", told)


def noted(engine: Engine, kind: LessonKind) -> list[dict[str, Any]]:
    with engine.store.read() as tx:
        rows = tx.execute(select(schema.lessons.c.data).where(schema.lessons.c.kind == kind))
        return [row.data for row in rows]


def many(engine: Engine, count: int, request: dict[str, Any] | None = None, **switches: Any) -> list[str]:
    """Jobs whose first looks all rest with the list, if that is believed."""
    ids: list[str] = []
    while len(ids) < count:
        job_id = engine.created(request, **switches)
        fence = engine.job(job_id).fence
        if not any(gets_anyway(job_id, fence + claims) for claims in (1, 2, 3)):
            ids.append(job_id)
        else:
            with engine.store.write() as tx:
                jobs.note(tx, job_id, {"state": "timed_out", "due_at": None})
    return ids


def look_at_all(engine: Engine, seconds: float = 20.0) -> None:
    engine.later(seconds)
    assert engine.look() is not None


def test_ends_that_a_list_shows_take_one_request_for_all(engine: Engine, sandbox: Sandbox) -> None:
    ids = many(engine, 6)
    look_at_all(engine)
    assert requests(sandbox) == (1, 0)
    for job_id in ids:
        job = engine.job(job_id)
        assert (job.state, job.won_by, job.looks) == (State.COMPLETED, Source.LIST, 0)
    assert engine.hand_off_all() == 6
    assert noted(engine, LessonKind.LISTED) == [{"tenant": "default", "model": MODEL, "requests": 1}]
    assert noted(engine, LessonKind.LISTING) == [
        {"account": "default", "provider": GOOGLE, "fresh": 6, "stale": 0}
    ]


def test_no_list_is_read_for_three_jobs(engine: Engine, sandbox: Sandbox) -> None:
    many(engine, 3)
    look_at_all(engine)
    assert requests(sandbox) == (0, 3)


def test_what_runs_is_asked_about_while_nobody_knows_how_fresh_the_list_is(
    engine: Engine, sandbox: Sandbox
) -> None:
    ids = many(engine, 5, duration=600)
    look_at_all(engine)
    assert requests(sandbox) == (1, 5)
    assert [engine.job(job_id).looks for job_id in ids] == [1] * 5
    assert noted(engine, LessonKind.LISTING) == [], "nothing ended, so nothing was measured"


def test_what_runs_is_believed_where_the_list_is_fresh_and_counts_as_looked_at(
    engine: Engine, sandbox: Sandbox
) -> None:
    ids = many(engine, 5, duration=600, poll_after_seconds=30)
    know(engine, GOOGLE)
    for lists, wait in ((1, 20.0), (2, 30.0)):
        look_at_all(engine, wait)
        assert requests(sandbox) == (lists, 0)
        for job_id in ids:
            job = engine.job(job_id)
            assert (job.looks, job.last_look_at, job.seen_running_at) == (0, engine.now, engine.now)
            assert (job.due_at, job.leased_by) == (engine.now + 30.0, None), "the hint holds as after a GET"
            assert job.gateway_status == "processing"
    assert len(engine.timeline(ids[0])) == 3, "that it was processing is kept once"


@pytest.fixture
def tickless() -> Iterator[Sandbox]:
    """A gateway whose next tick comes in hours: none falls into a test, however slow the machine is."""
    sandbox = Sandbox("--time-scale", "0.001")
    yield sandbox
    sandbox.stop()


def test_a_provider_whose_ends_the_list_shows_late_goes_on_with_gets(
    new_engine: NewEngine, tickless: Sandbox
) -> None:
    engine = new_engine(gateway_url=tickless.url)
    many(engine, 4, notice="tick")
    running = many(engine, 4, GROK, duration=600)
    know(engine, GOOGLE, fresh=2, stale=58)
    know(engine, XAI)
    look_at_all(engine)
    assert requests(tickless) == (1, 4)
    assert [engine.job(job_id).looks for job_id in running] == [0] * 4
    assert noted(engine, LessonKind.LISTING) == [
        {"account": "default", "provider": GOOGLE, "fresh": 0, "stale": 4}
    ]


def test_some_looks_are_gets_anyway_and_measure_the_list_that_is_believed(
    new_engine: NewEngine, tickless: Sandbox
) -> None:
    engine = new_engine(gateway_url=tickless.url)
    know(engine, GOOGLE)
    ids = [engine.created(notice="tick") for _ in range(12)]
    expected = {job_id for job_id in ids if gets_anyway(job_id, engine.job(job_id).fence + 1)}
    look_at_all(engine)
    assert {job_id for job_id in ids if engine.job(job_id).state is State.COMPLETED} == expected
    assert requests(tickless) == (1, len(expected))
    assert sum(one["stale"] for one in noted(engine, LessonKind.LISTING)) == len(expected)
    for _ in range(GET_EVERY - 1):
        engine.later(20.0)
        engine.look()
    assert all(engine.job(job_id).state is State.COMPLETED for job_id in ids), "found by a GET, if late"


def test_a_job_in_doubt_or_at_its_deadline_gets_its_get(engine: Engine, sandbox: Sandbox) -> None:
    suspected, failing, late, *others = many(engine, 8, duration=600)
    know(engine, GOOGLE)
    with engine.store.write() as tx:
        jobs.note(tx, suspected, {"suspicion": "failed_live"})
        jobs.note(tx, failing, {"look_errors": 1, "look_error": "502"})
        jobs.note(tx, late, {"deadline_at": engine.now + 10})
    look_at_all(engine)
    assert requests(sandbox) == (1, 3)
    assert [engine.job(job_id).looks for job_id in (suspected, failing)] == [1, 1]
    assert engine.job(late).state is State.TIMED_OUT
    assert {engine.job(job_id).looks for job_id in others} == {0}


def test_a_list_that_fails_costs_nobody_a_look(engine: Engine, sandbox: Sandbox) -> None:
    ids = many(engine, 5, duration=600)
    know(engine, GOOGLE)
    sandbox.faults(gate_closed=True)
    look_at_all(engine)
    assert [engine.job(job_id).looks for job_id in ids] == [1] * 5
    assert requests(sandbox) == (1, 5)


def test_a_list_that_nobody_foresaw_costs_nobody_a_look_either(
    engine: Engine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("nobody foresaw this")

    ids = many(engine, 5)
    monkeypatch.setattr(Gateway, "list_recent", broken)
    look_at_all(engine)
    assert {engine.job(job_id).state for job_id in ids} == {State.COMPLETED}
    assert requests(sandbox) == (0, 5)


def test_a_bad_end_that_a_list_shows_is_looked_into_for_its_reason(engine: Engine, sandbox: Sandbox) -> None:
    ids = many(engine, 4, outcome="failed")
    look_at_all(engine)
    assert requests(sandbox) == (1, 0)
    assert {engine.job(job_id).state for job_id in ids} == {State.FAILED}
    assert engine.look() is not None
    assert requests(sandbox) == (1, 4), "details are never taken from a list"
    assert (engine.job(ids[0]).failure or {})["message"] == "The prompt violates policy."


def test_a_list_that_a_look_at_many_jobs_did_not_need_is_read_seldom(
    engine: Engine, sandbox: Sandbox
) -> None:
    many(engine, 20, duration=600)
    for _ in range(5):
        look_at_all(engine)
    assert requests(sandbox) == (2, 100), "it saved nothing, and is tried again after fifty looks"


def ending_in(engine: Engine, sandbox: Sandbox, job_id: str) -> None:
    """Let the provider end a job now, and the gateway know."""
    ended = sandbox.control.post(f"/jobs/{engine.job(job_id).gateway_id}/end", json={"status": "completed"})
    assert ended.is_success, ended.text


def test_ends_of_jobs_that_are_not_due_are_settled_by_a_list_that_is_read_anyway(
    engine: Engine, sandbox: Sandbox
) -> None:
    early, awaited = (engine.created(duration=600) for _ in range(2))
    with engine.store.write() as tx:
        for job_id in (early, awaited):
            jobs.note(tx, job_id, {"due_at": engine.now + 900, "hooked": job_id == awaited})
    many(engine, 4, duration=600)
    for job_id in (early, awaited):
        ending_in(engine, sandbox, job_id)
    look_at_all(engine)
    job = engine.job(early)
    assert (job.state, job.won_by, job.looks, job.due_at) == (State.COMPLETED, Source.LIST, 0, None)
    assert engine.job(awaited).state is State.WAITING, "its webhook may come at this moment"
    assert requests(sandbox) == (1, 4)
    assert engine.hand_off_all() == 1


def test_an_end_that_a_list_shows_by_the_way_and_that_cannot_be_kept_costs_nobody_else_anything(
    engine: Engine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [engine.created(duration=600) for _ in range(2)]
    with engine.store.write() as tx:
        for job_id in ids:
            jobs.note(tx, job_id, {"due_at": engine.now + 900})
    due = many(engine, 4)
    for job_id in ids:
        ending_in(engine, sandbox, job_id)

    def observing(context: Any, tx: Any, job_id: str, seen: Any) -> Any:
        if job_id == ids[0]:
            raise KeyError("nobody foresaw this")
        return observe(context, tx, job_id, seen)

    monkeypatch.setattr(unasked, "observe", observing)
    look_at_all(engine)
    assert engine.job(ids[0]).state is State.WAITING
    assert {engine.job(job_id).state for job_id in [ids[1], *due]} == {State.COMPLETED}


# a budget


def test_looks_of_a_tenant_keep_to_its_rate_and_the_others_come_when_there_is_room(
    new_engine: NewEngine, sandbox: Sandbox
) -> None:
    engine = new_engine(looks_per_second=0.6)
    ids = many(engine, 8, duration=600, outcome="never")
    look_at_all(engine)
    assert requests(sandbox) == (1, 2), "three saved up, of which one is the list"
    waiting = sorted(engine.job(job_id).due_at or 0.0 for job_id in ids if not engine.job(job_id).looks)
    assert len(waiting) == 6
    gaps = [later - before for before, later in pairwise(waiting)]
    assert waiting[0] == pytest.approx(engine.now + 1 / 0.6)
    assert gaps == pytest.approx([1 / 0.6] * 5)
    for _ in range(6):
        look_at_all(engine, 1 / 0.6)
    assert all(engine.job(job_id).looks == 1 for job_id in ids)
    assert requests(sandbox) == (1, 8)


def test_a_list_counts_once_and_what_it_spares_is_given_back(new_engine: NewEngine, sandbox: Sandbox) -> None:
    engine = new_engine(looks_per_second=0.2)
    know(engine, GOOGLE)
    ids = many(engine, 6, duration=600)
    look_at_all(engine)
    assert requests(sandbox) == (1, 0)
    assert all(engine.job(job_id).last_look_at == engine.now for job_id in ids)


def test_details_come_first_then_deadlines_then_what_waited_longest(
    new_engine: NewEngine, sandbox: Sandbox
) -> None:
    engine = new_engine(looks_per_second=0.2)
    fresh, old, late = (engine.created(duration=600) for _ in range(3))
    detail = engine.created({"sample_count": 2}, duration=600)
    engine.later(20)
    with engine.store.write() as tx:
        jobs.note(tx, fresh, {"seen_running_at": engine.now - 20})
        jobs.note(tx, old, {"seen_running_at": engine.now - 60, "created_at": engine.now - 60})
        jobs.note(tx, late, {"deadline_at": engine.now})
        jobs.note(tx, detail, {"state": "completed", "detail_tries": 3, "due_at": engine.now})
    order: list[str] = []
    for _ in range(4):
        before = {job_id: engine.job(job_id).looks for job_id in (fresh, old, late, detail)}
        engine.look()
        order += [job_id for job_id, looks in before.items() if engine.job(job_id).looks > looks]
        engine.later(5)
    assert order == [detail, late, old, fresh]


def test_one_that_surely_ended_comes_before_one_that_waited_longer_and_cannot_have_ended(
    new_engine: NewEngine, sandbox: Sandbox
) -> None:
    engine = new_engine(looks_per_second=0.2)
    pacing.know(engine, EstimateKind.ENDINGS, pacing.CLASS, pacing.ended(200))
    engine.context.paces.wanted.add((pacing.CLASS, None))
    Pacer(engine.context).refresh()
    facts = {"ending_class": pacing.CLASS, "due_at": engine.now}
    over, young = (engine.created(duration=600, updates=Updates.POLL) for _ in range(2))
    with engine.store.write() as tx:
        ago = {"created_at": engine.now - 115, "seen_running_at": engine.now - 30}
        jobs.note(tx, over, facts | ago)
        jobs.note(tx, young, facts | {"created_at": engine.now - 60})
    engine.look()
    assert (engine.job(over).looks, engine.job(young).looks) == (1, 0)


def test_a_tenant_without_a_rate_is_not_held_up_by_one_that_has(engine: Engine, sandbox: Sandbox) -> None:
    with engine.store.write() as tx:
        tenants.change(tx, "default", {"looks_per_second": 0.0})
    object.__setattr__(engine.settings, "looks_per_second", 0.1)
    many(engine, 3, duration=600)
    look_at_all(engine)
    assert requests(sandbox) == (0, 3)


# many at once, over HTTP, with the gateway's own timing


def test_of_three_hundred_open_jobs_those_of_a_fresh_provider_take_fewer_gets(tmp_path: Path) -> None:
    notice = {XAI: "instant", GOOGLE: "tick"}
    told = Stage(tmp_path, notice, lambda random: random.uniform(2.0, 6.0), rate=100.0).run(150)
    assert told.lists < 100
    # Both would take alike without a list; the stale one's takes the most of them as before.
    assert told.per_job(XAI) < 0.9 * told.per_job(GOOGLE)
    assert all(len(lags) == 150 for lags in told.lags.values())
    assert told.per_job(GOOGLE) > 0.7, "most ends were found by GETs, sooner than by the tick"
