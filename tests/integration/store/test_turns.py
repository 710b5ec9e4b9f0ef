"""One tenant's backlog does not hold up another's work: claims go round the tenants."""

from typing import Any

import pytest
from sqlalchemy import insert, update

from orchestrator.core.lifecycle import State
from orchestrator.store import due_jobs, hand_offs
from orchestrator.store.database import Store
from orchestrator.store.due import ROUND, Turns
from orchestrator.store.schema import accounts, tenants
from tests.integration.store.rows import START, a_job, join, keep, owe_outcome

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def worker(store: Store) -> None:
    join(store, "w")


def with_tenants(store: Store, *names: str) -> None:
    with store.write() as tx:
        tx.execute(insert(tenants), [{"id": name, "name": name} for name in names])
        tx.execute(insert(accounts), [{"id": name, "tenant_id": name, "name": name} for name in names])


def backlog(store: Store, tenant: str, count: int, **facts: Any) -> None:
    """So many due jobs of a tenant, the older ones due for longer."""
    keep(
        store,
        *(
            a_job(
                f"{tenant}_{number:03}",
                tenant_id=tenant,
                account_id=tenant,
                **{"due_at": START - count + number, **facts},
            )
            for number in range(count)
        ),
    )


def looks(store: Store, turns: Turns, limit: int) -> list[str]:
    with store.write() as tx:
        found = due_jobs.claim(tx, due_jobs.LOOKS, worker="w", limit=limit, lease=60, turns=turns)
    return [job.id for job in found]


def test_a_batch_is_shared_and_each_ones_longest_due_come_first(store: Store) -> None:
    with_tenants(store, "big", "small")
    backlog(store, "big", 100)
    backlog(store, "small", 2, due_at=START)
    taken = looks(store, Turns(), 10)
    assert {one for one in taken if one.startswith("small")} == {"small_000", "small_001"}
    first_of_big = {f"big_{number:03}" for number in range(8)}
    assert {one for one in taken if one.startswith("big")} <= first_of_big


def test_one_at_a_time_they_take_turns(store: Store) -> None:
    with_tenants(store, "a", "b", "c")
    for tenant, count in (("a", 50), ("b", 2), ("c", 1)):
        backlog(store, tenant, count)
    turns = Turns()
    taken = [looks(store, turns, 1)[0] for _ in range(7)]
    assert taken == ["a_000", "b_000", "c_000", "a_001", "b_001", "a_002", "a_003"]


def test_each_kind_of_work_has_turns_of_its_own(store: Store) -> None:
    with_tenants(store, "a", "b")
    for tenant in ("a", "b"):
        backlog(store, tenant, 2)
        keep(store, a_job(f"{tenant}_new", State.ACCEPTED, tenant_id=tenant, account_id=tenant))
    turns = Turns()
    assert looks(store, turns, 1) == ["a_000"]
    with store.write() as tx:
        (first,) = due_jobs.claim(tx, due_jobs.CREATES, worker="w", limit=1, lease=60, turns=turns)
    assert first.id == "a_new"
    assert looks(store, turns, 1) == ["b_000"]


def test_what_one_tenant_leaves_of_its_share_goes_to_the_others_at_once(store: Store) -> None:
    with_tenants(store, "a", "b", "c")
    for tenant, count in (("a", 1), ("b", 30), ("c", 2)):
        backlog(store, tenant, count)
    assert len(looks(store, Turns(), 20)) == 20


def test_however_many_tenants_there_are_each_gets_its_turn(store: Store) -> None:
    names = [f"t{number:03}" for number in range(2 * ROUND + 5)]
    with_tenants(store, *names)
    for name in names:
        backlog(store, name, 1)
    turns = Turns()
    taken = [looks(store, turns, 200) for _ in range(3)]
    assert [len(some) for some in taken] == [ROUND, ROUND, 5]
    assert {one for some in taken for one in some} == {f"{name}_000" for name in names}


def test_hand_offs_take_turns_too(store: Store) -> None:
    with_tenants(store, "a", "b")
    for tenant in ("a", "b"):
        backlog(store, tenant, 3, due_at=None)
        with store.write() as tx:
            for number in range(3):
                owe_outcome(tx, f"{tenant}_{number:03}", "x", "folder")
    turns, taken = Turns(), []
    for _ in range(6):
        with store.write() as tx:
            found = hand_offs.claim_due(tx, worker="w", lease=60, turns=turns)
        assert found is not None
        assert found.tenant_id == found.job_id[0]
        taken.append(found.tenant_id)
    assert taken == ["a", "b", "a", "b", "a", "b"]


def test_a_held_tenants_creates_wait_and_its_looks_do_not(store: Store) -> None:
    with_tenants(store, "held", "free")
    for tenant in ("held", "free"):
        keep(store, a_job(f"{tenant}_new", State.ACCEPTED, tenant_id=tenant, account_id=tenant))
        backlog(store, tenant, 1)
    with store.write() as tx:
        tx.execute(update(tenants).where(tenants.c.id == "held").values(held_until=START + 1))
    assert set(looks(store, Turns(), 10)) == {"held_000", "free_000"}
    with store.write() as tx:
        found = due_jobs.claim(tx, due_jobs.CREATES, worker="w", limit=10, lease=60)
        assert [job.id for job in found] == ["free_new"]
        assert due_jobs.moments(tx, due_jobs.CREATES, until=START + 9, limit=9) == []
