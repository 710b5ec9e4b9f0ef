"""What a tenant has under way and has spent is counted, by several at once too, and never past its limit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text, update

from orchestrator import fault_points, wiring
from orchestrator.core.job import Observation, Source
from orchestrator.core.lifecycle import Seen, State
from orchestrator.engine.brake import HOLD
from orchestrator.engine.context import Context
from orchestrator.engine.create import create
from orchestrator.engine.submit import Submission, submit
from orchestrator.errors import NotFound
from orchestrator.fault_points import FaultPoint
from orchestrator.gateway.create_answer import CreateAnswer, CreateClass
from orchestrator.settings import load
from orchestrator.store import due_jobs, job_lists, schema, tenants
from orchestrator.store.database import Store
from orchestrator.store.tenants import Open, Spent, Tenant
from tests.integration.store.rows import START, Clock, a_job, join, keep, owe, read
from tests.integration.store.together import Elsewhere, Held, ended

MOST = 5
PROCESSES = 3


@pytest.fixture
def elsewhere(store: Store) -> Iterator[Elsewhere]:
    there = Elsewhere(store)
    yield there
    there.close()
    fault_points.arm("submit.committed:1000000", lambda _: None)


class Gateway:
    """Makes every job at once, and never ends one."""

    async def create(self, request: Any, *, session_id: str, **_: Any) -> CreateAnswer:
        made = Observation(Source.CREATE, Seen.OPEN, gateway_id=f"G-{session_id}")
        return CreateAnswer(CreateClass.CREATED, made)

    async def aclose(self) -> None:
        """Nothing was opened."""


def a_process(store: Store, folder: Path, **settings: Any) -> Context:
    given = load({}, data_dir=folder, output_dir=folder / "out", gateway_api_key="k", **settings)
    context = wiring.build(given, store, asks_gateway=False)
    context.gateways = {"default": Gateway()}  # type: ignore[dict-item]
    join(store, context.worker)
    return context


@pytest.fixture
def processes(store: Store, tmp_path: Path) -> Iterator[list[Context]]:
    made = [a_process(store, tmp_path, max_open_jobs=MOST) for _ in range(PROCESSES)]
    yield made
    for context in made:
        context.close()


def count(store: Store, limit: int = 100) -> Open:
    with store.read() as tx:
        return tenants.open_jobs(tx, "default", limit=limit)


def spent(store: Store, since: float = START - 1) -> Spent:
    with store.read() as tx:
        return tenants.spent(tx, "default", since=since)


def test_open_is_what_the_gateway_has_or_may_have(store: Store) -> None:
    keep(store, *(a_job(f"job_{state}", state) for state in State if state is not State.CREATING))
    keep(store, a_job("job_creating", State.CREATING, due_at=None))
    keep(store, a_job("job_known", State.WAITING, cost_usd=1.0))
    assert count(store) == Open(4, untold=3)
    assert count(store, limit=2).jobs == 2


def test_another_tenant_s_jobs_do_not_count(store: Store) -> None:
    with store.write() as tx:
        tx.execute(schema.tenants.insert().values(id="other", name="o"))
    keep(store, a_job("a", State.CREATING, tenant_id="other"), a_job("b", tenant_id="other", cost_usd=1.0))
    assert count(store) == Open(0, 0)
    assert spent(store) == Spent(0.0, 0, 0)


def test_what_is_spent_is_what_is_known_of_those_accepted_in_the_window(store: Store) -> None:
    keep(store, a_job("old", State.COMPLETED, accepted_at=START - 10, cost_usd=7.0))
    keep(store, a_job("new", State.COMPLETED, cost_usd=1.5), a_job("free", State.FAILED, cost_usd=0.0))
    keep(store, a_job("untold", State.COMPLETED), a_job("open"))
    found = spent(store)
    assert (found, found.mean, found.estimate) == (Spent(1.5, 2, 1), 0.75, 2.25)
    assert spent(store, since=START - 11).usd == 8.5


@pytest.mark.parametrize("kind", ["sqlite"])
def test_neither_count_reads_more_than_its_index(store: Store) -> None:
    asked: list[tuple[str, Any]] = []
    event.listen(store.engine, "before_cursor_execute", lambda *seen: asked.append((seen[2], seen[3])))
    count(store)
    spent(store)
    with store.read() as tx:
        due_jobs.overdue_creates(tx, limit=5)
        selects = [one for one in asked if one[0].startswith("SELECT") and " jobs" in one[0]]
        plans = [
            " ".join(row[3] for row in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given))
            for sql, given in selects
        ]
    opened, sums, overdue = plans
    assert "ix_jobs_creating" in opened
    assert "ix_jobs_looks_due" in opened
    assert "COVERING INDEX ix_jobs_spent" in sums
    assert "ix_jobs_accepted" in overdue


def test_a_tenant_is_held_until_it_is_released(store: Store, clock: Clock) -> None:
    with store.write() as tx:
        tenants.hold(tx, "default", "enough", tx.now + 5)
    with store.read() as tx:
        assert tenants.get(tx, "default") == Tenant("default", None, None, "enough", START + 5)
        assert tenants.held(tx, since=tx.now) == {"default": "enough"}
        assert tenants.held(tx, since=tx.now + 5) == {}
    with store.write() as tx:
        tenants.release(tx, "default", wholly=True)
        assert tenants.held(tx, since=0) == {}
        assert tenants.lock(tx, "default").held_reason is None


def test_a_tenant_that_is_not_there_is_said_to_be_missing(store: Store) -> None:
    with store.write() as tx, pytest.raises(NotFound, match="nobody"):
        tenants.get(tx, "nobody")


def test_tenants_with_limits_of_their_own_are_listed(store: Store) -> None:
    with store.write() as tx:
        assert tenants.with_limits(tx) == []
        tx.execute(update(schema.tenants).values(spend_cap_usd=0))
        assert [one.id for one in tenants.with_limits(tx)] == ["default"]


def test_overdue_are_accepted_jobs_past_their_deadline_that_nobody_holds(store: Store, clock: Clock) -> None:
    keep(store, a_job("late", State.ACCEPTED, deadline_at=START - 1), a_job("in_time", State.ACCEPTED))
    keep(store, a_job("waiting", deadline_at=START - 1))
    keep(store, a_job("held", State.ACCEPTED, deadline_at=START - 2, leased_by="w", lease_until=START + 9))
    join(store, "w")
    with store.read() as tx:
        assert [job.id for job in due_jobs.overdue_creates(tx, limit=9)] == ["late"]


def test_a_held_tenant_s_creates_do_not_count_as_left_lying(store: Store, clock: Clock) -> None:
    keep(store, a_job("job_1", State.ACCEPTED))
    clock.now += 100
    with store.write() as tx:
        assert due_jobs.since(tx, due_jobs.CREATES, held_within=60) == START
        tenants.hold(tx, "default", "enough", tx.now + 2)
        assert due_jobs.since(tx, due_jobs.CREATES, held_within=60) is None
    clock.now += 50
    with store.read() as tx:
        assert due_jobs.since(tx, due_jobs.CREATES, held_within=60) is None
    clock.now += 60
    with store.read() as tx:
        assert due_jobs.since(tx, due_jobs.CREATES, held_within=60) == START


# several at once


def work(context: Context) -> None:
    while create(context) is not None:
        pass


def settle(store: Store) -> None:
    """Let every job end that the gateway has."""
    ended = {"state": State.COMPLETED, "due_at": None}
    with store.write() as tx:
        tx.execute(update(schema.jobs).where(schema.jobs.c.state == State.WAITING).values(**ended))


def test_however_many_workers_create_at_once_the_limit_is_kept_exactly(
    store: Store, clock: Clock, processes: list[Context], elsewhere: Elsewhere
) -> None:
    submit(processes[0], [Submission({"model": "m"}) for _ in range(4 * MOST)])
    for done in range(3):
        workers = [elsewhere.begin(lambda one=one: work(one)) for one in processes * 2]  # type: ignore[misc]
        for worker in workers:
            ended(worker)
        assert count(store).jobs == MOST
        with store.write() as tx:
            assert job_lists.counts(tx)[State.ACCEPTED] == (3 - done) * MOST
        settle(store)
        clock.now += HOLD


def test_however_fast_jobs_come_and_go_no_more_are_open_than_may_be(
    store: Store, clock: Clock, processes: list[Context], elsewhere: Elsewhere
) -> None:
    wanted, most = 20 * MOST, 0
    submit(processes[0], [Submission({"model": "m"}) for _ in range(wanted)])
    for _ in range(wanted):
        workers = [elsewhere.begin(lambda one=one: work(one)) for one in processes]  # type: ignore[misc]
        going = True
        while going:
            going = not all(worker.done() for worker in workers)
            most = max(most, count(store).jobs)
            settle(store)
        for worker in workers:
            ended(worker)
        clock.now += HOLD
        with store.read() as tx:
            if State.ACCEPTED not in job_lists.counts(tx):
                break
    else:
        pytest.fail("some were never created")
    assert 0 < most <= MOST


@pytest.mark.parametrize("kind", ["postgresql"])
def test_of_two_that_want_the_last_place_the_second_waits_for_the_first_and_then_counts(
    store: Store, processes: list[Context], elsewhere: Elsewhere
) -> None:
    keep(store, *(a_job(f"open_{number}") for number in range(MOST - 1)))
    keep(store, *(a_job(f"new_{number}", State.ACCEPTED, due_at=START + number - 9) for number in range(2)))
    point = Held(FaultPoint.OBSERVE_MOVED)
    first = elsewhere.begin(lambda: create(processes[0]))
    point.until_reached()
    second = elsewhere.begin_and_wait_for_us(lambda: create(processes[1]))
    point.let_go()
    assert ended(first)
    assert [one.delay for one in ended(second) or []] == [HOLD]
    assert (read(store, "new_0").state, read(store, "new_1").state) == (State.WAITING, State.ACCEPTED)
    assert read(store, "new_1").leased_by is None


@pytest.mark.parametrize("kind", ["postgresql"])
def test_jobs_and_hand_offs_are_kept_while_the_tenant_s_jobs_are_counted(
    store: Store, processes: list[Context], elsewhere: Elsewhere
) -> None:
    with store.write() as tx:
        tenants.lock(tx, "default")
        ended(elsewhere.begin(lambda: keep(store, a_job("new", State.ACCEPTED))))
        ended(elsewhere.begin(lambda: owe(store, 0, job_id="new")))


@pytest.mark.parametrize("kind", ["postgresql"])
def test_counting_a_few_open_jobs_does_not_read_the_table(store: Store) -> None:
    keep(store, *(a_job(f"job_{number}", State.COMPLETED, due_at=None) for number in range(2_000)))
    with store.write() as tx:
        tx.execute(text("ANALYZE jobs"))
    asked: list[tuple[str, Any]] = []
    event.listen(store.engine, "before_cursor_execute", lambda *seen: asked.append((seen[2], seen[3])))
    count(store)
    with store.read() as tx:
        sql, given = next(one for one in asked if "count(" in one[0])
        plan = " ".join(row[0] for row in tx.connection.exec_driver_sql(f"EXPLAIN {sql}", given))
    assert "Seq Scan" not in plan
