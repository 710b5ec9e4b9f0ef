"""Faults that jobs met: one row for a job and a fault, listed and counted by indexes, gone with the job."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, insert, text

from orchestrator.core.blame import OF_WEBHOOKS, Counted, Fault, Met
from orchestrator.core.lifecycle import State
from orchestrator.store import faults, job_lists, jobs
from orchestrator.store.database import Store
from orchestrator.store.faults import LONGEST_EVIDENCE, Noted, Whose
from orchestrator.store.job_lists import Listed
from orchestrator.store.migrate import migrate
from orchestrator.store.schema import faults as fault_rows
from orchestrator.store.schema import jobs as job_rows
from tests.integration.store.earlier import make_as_of
from tests.integration.store.rows import START, Clock, a_job, keep, read

MANY = 3_000
HOUR, DAY = 3_600, 86_400


def note(store: Store, job_id: str, fault: Fault, evidence: str = "seen", request: str | None = None) -> None:
    with store.write() as tx:
        faults.note(tx, jobs.require(tx, job_id), Met(fault, evidence, request))


def noted(store: Store, job_id: str = "job_1") -> list[Noted]:
    with store.read() as tx:
        return faults.of_job(tx, job_id)


def listed(store: Store, tenant: str = "default", **which: Any) -> list[str]:
    with store.read() as tx:
        return [job.id for job in job_lists.page(tx, tenant, Listed(**which), limit=10)]


def counted(store: Store, tenant: str | None = None, *, since: float = 0, every: int = HOUR) -> list[Counted]:
    with store.read() as tx:
        return faults.counted(tx, tenant, since=since, every=every)


def test_a_fault_that_is_met_again_is_counted_with_the_latest_evidence(store: Store, clock: Clock) -> None:
    keep(store, a_job())
    note(store, "job_1", Fault.POLL_FAULT, "first", "G-1")
    clock.now += 10
    note(store, "job_1", Fault.POLL_FAULT, "second")
    note(store, "job_1", Fault.HAND_OFF_FAILED)
    found = noted(store)
    assert found[0] == Noted(Fault.POLL_FAULT, START, START + 10, 2, "second", "G-1")
    assert [one.fault for one in found] == [Fault.POLL_FAULT, Fault.HAND_OFF_FAILED]


def test_many_jobs_are_noted_at_once_and_nothing_is_nothing(store: Store) -> None:
    keep(store, a_job("job_1"), a_job("job_2"))
    with store.write() as tx:
        faults.note_all(tx, [])
        faults.note_all(
            tx,
            [Whose(name, "default", Met(Fault.POLL_FAULT, "x" * 9_999)) for name in ("job_1", "job_2")],
        )
    assert [len(one.evidence) for name in ("job_1", "job_2") for one in noted(store, name)] == [
        LONGEST_EVIDENCE,
        LONGEST_EVIDENCE,
    ]


def test_one_that_was_none_after_all_is_taken_back_and_no_other(store: Store) -> None:
    keep(store, a_job("job_1"), a_job("job_2"))
    for name in ("job_1", "job_2"):
        note(store, name, Fault.HOOK_NOT_SENT)
        note(store, name, Fault.POLL_FAULT)
    with store.write() as tx:
        assert faults.with_any(tx, ["job_1", "job_2", "job_3"], OF_WEBHOOKS) == {"job_1", "job_2"}
        faults.withdraw(tx, "job_1", Fault.HOOK_NOT_SENT)
        assert faults.with_any(tx, ["job_1", "job_2"], OF_WEBHOOKS) == {"job_2"}
    assert [one.fault for one in noted(store)] == [Fault.POLL_FAULT]


def test_faults_go_with_their_job(store: Store) -> None:
    keep(store, a_job())
    note(store, "job_1", Fault.POLL_FAULT)
    with store.write() as tx:
        tx.execute(delete(job_rows).where(job_rows.c.id == "job_1"))
    assert noted(store) == []


@pytest.fixture
def failing(store: Store) -> Store:
    """Of two tenants: each third job ended with a blame, each fifth met a fault on its way."""
    keep(store, a_job("seed"))
    seed = read_row(store)
    made, met = [], []
    for number in range(MANY):
        one = seed | {"id": f"job_{number:05}", "session_id": f"s{number}", "tenant_id": f"t{number % 2}"}
        one |= {"state_since": START + number * 60, "blame": "provider" if number % 3 == 0 else None}
        made.append(one | {"end_user": "u" if number % 7 == 0 else None})
        if number % 5 == 0:
            row = {"job_id": one["id"], "fault": "poll_fault", "tenant_id": one["tenant_id"], "evidence": "x"}
            met.append(row | {"at": START + number * 60, "last_at": START, "times": 1})
    with store.write() as tx:
        tx.execute(text("INSERT INTO tenants (id, name) VALUES ('t0', 'a'), ('t1', 'b')"))
        tx.execute(insert(job_rows), made)
        tx.execute(insert(fault_rows), met)
    return store


def read_row(store: Store) -> dict[str, Any]:
    with store.read() as tx:
        row = tx.execute(job_rows.select()).one()
    return dict(row._mapping)


def test_a_list_has_the_newest_jobs_with_the_blame_or_the_fault(failing: Store) -> None:
    def wanted(step: int, parity: int) -> list[str]:
        return [f"job_{n:05}" for n in range(MANY) if n % step == 0 and n % 2 == parity][::-1]

    for fault, step in ((Fault.PROVIDER, 3), (Fault.POLL_FAULT, 5)):
        for parity in (0, 1):
            theirs = wanted(step, parity)
            assert listed(failing, f"t{parity}", blame=fault) == theirs[:10]
            with failing.read() as tx:
                following = job_lists.page(tx, f"t{parity}", Listed(blame=fault), limit=10, before=theirs[9])
            assert [job.id for job in following] == theirs[10:20]
        both = [one for one in wanted(step, 0) if int(one[4:]) % 7 == 0]
        assert listed(failing, "t0", blame=fault, end_user="u") == both[:10]
        assert listed(failing, "t0", blame=fault, states=(State.WAITING,)) == wanted(step, 0)[:10]
        assert listed(failing, "t0", blame=fault, states=(State.FAILED,)) == []
    assert listed(failing, "t0", blame=Fault.CALLER) == []


def test_counts_are_by_fault_and_span_of_one_tenant_or_of_all(failing: Store) -> None:
    by_hour = counted(failing, every=HOUR)
    assert sum(one.jobs for one in by_hour if one.fault is Fault.PROVIDER) == MANY // 3
    assert sum(one.jobs for one in by_hour if one.fault is Fault.POLL_FAULT) == MANY // 5
    assert all(one.begins % HOUR == 0 for one in by_hour)
    assert max(one.jobs for one in by_hour) == 20, "each third of sixty a minute apart"
    assert [one.begins for one in by_hour] == sorted(one.begins for one in by_hour)
    for_one = counted(failing, "t0", every=DAY)
    assert sum(one.jobs for one in for_one if one.fault is Fault.PROVIDER) == MANY // 6
    assert {one.begins % DAY for one in for_one} == {0}
    late = counted(failing, since=START + (MANY - 30) * 60)
    assert {one.fault: one.jobs for one in merged(late)} == {Fault.PROVIDER: 10, Fault.POLL_FAULT: 6}


def merged(some: list[Counted]) -> list[Counted]:
    sums: dict[Fault, int] = {}
    for one in some:
        sums[one.fault] = sums.get(one.fault, 0) + one.jobs
    return [Counted(fault, 0, many) for fault, many in sums.items()]


def test_what_recurs_is_counted_up_to_a_bound(failing: Store) -> None:
    with failing.read() as tx:
        assert faults.recent(tx, Fault.POLL_FAULT, since=START + (MANY - 30) * 60, most=100) == 6
        assert faults.recent(tx, Fault.POLL_FAULT, since=0, most=100) == 100
        assert faults.recent(tx, Fault.HAND_OFF_FAILED, since=0, most=100) == 0


PLANS = {
    "SELECT id FROM jobs WHERE tenant_id = 't0' AND blame >= 'provider' AND blame <= 'provider' "
    "ORDER BY blame DESC, id DESC LIMIT 10": "ix_jobs_blamed",
    "SELECT blame, count(*) FROM jobs WHERE blame IS NOT NULL AND state_since >= 1170000 "
    "GROUP BY blame": "ix_jobs_ended_blamed",
    "SELECT count(*) FROM faults WHERE fault = 'poll_fault' AND at >= 1170000": "ix_faults_fault_at",
    "SELECT job_id FROM faults WHERE tenant_id = 't0' AND fault = 'poll_fault' "
    "ORDER BY job_id DESC LIMIT 10": "ix_faults_tenant_id_fault_job_id",
}


@pytest.mark.parametrize(("query", "index"), PLANS.items(), ids=PLANS.values())
def test_lists_and_counts_read_an_index_and_not_the_jobs(failing: Store, query: str, index: str) -> None:
    with failing.write() as tx:
        explain = "EXPLAIN QUERY PLAN "
        if tx.connection.dialect.name == "postgresql":
            tx.execute(text("SET LOCAL enable_seqscan TO off"))
            explain = "EXPLAIN "
        plan = " ".join(str(row) for row in tx.execute(text(explain + query)))
    assert index in plan, plan


def test_what_went_wrong_before_there_were_such_rows_is_told_as_far_as_it_is_known(
    new_url: Callable[..., str], clock: Clock
) -> None:
    store = Store(new_url(migrated=False), clock=clock)
    make_as_of(store, "0008")
    migrate(store)
    (dead,) = noted(store, "job_failed")
    assert (dead.fault, dead.evidence, dead.times) == (Fault.HAND_OFF_FAILED, "no", 1)
    assert noted(store, "job_done") == []
    store.close()


def test_a_job_that_is_read_again_has_its_blame(store: Store) -> None:
    keep(store, a_job(state=State.FAILED, blame=Fault.PROVIDER))
    assert read(store).blame is Fault.PROVIDER
