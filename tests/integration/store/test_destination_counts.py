"""What stands at a destination, for one tenant and for all, counted no further than to a bound."""

from sqlalchemy import update

from orchestrator.core.job import HandOffState
from orchestrator.store import dead_letters, destination_counts, tenants
from orchestrator.store.database import Store
from orchestrator.store.dead_letters import Matching
from orchestrator.store.schema import hand_offs
from tests.integration.store.rows import a_job, keep, owe


def give_up(store: Store) -> None:
    """All that is owed."""
    with store.write() as tx:
        tx.execute(update(hand_offs).values(state=HandOffState.DEAD, due_at=None))


def fail(store: Store, key: str) -> None:
    """One attempt at this one, which is tried again."""
    with store.write() as tx:
        tx.execute(update(hand_offs).where(hand_offs.c.key == key).values(last_error="no", attempts=1))


def test_what_is_owed_and_dead_is_counted_by_tenant_and_up_to_a_bound(store: Store) -> None:
    with store.write() as tx:
        tenants.add_once(tx, "acme")
    keep(store, a_job("job_1"), a_job("job_2", tenant_id="acme"))
    owe(store, 0, 1, 2)
    owe(store, 3, due_at=None)  # waits for the archive
    owe(store, 0, job_id="job_2")
    with store.read() as tx:
        assert destination_counts.owed(tx, "default", "folder", most=9) == 3
        assert destination_counts.owed(tx, "acme", "folder", most=9) == 1
        assert destination_counts.owed(tx, None, "folder", most=9) == 4
        assert destination_counts.owed(tx, None, "folder", most=2) == 2
        assert destination_counts.owed(tx, None, "elsewhere", most=9) == 0


def test_dead_letters_of_all_tenants_are_counted_and_listed_too(store: Store) -> None:
    with store.write() as tx:
        tenants.add_once(tx, "acme")
    keep(store, a_job("job_1"), a_job("job_2", tenant_id="acme"))
    owe(store, 0, 1)
    owe(store, 0, job_id="job_2")
    give_up(store)
    with store.read() as tx:
        which = Matching("folder")
        assert [dead_letters.count(tx, one, which) for one in ("default", "acme", None)] == [2, 1, 3]
        assert dead_letters.count(tx, None, which, most=2) == 2
        assert [one.job_id for one in dead_letters.latest(tx, None, which, limit=9)] == [
            "job_2",
            "job_1",
            "job_1",
        ]


def test_those_that_failed_and_are_tried_again_are_found_among_those_that_wait(store: Store) -> None:
    keep(store, a_job("job_1"))
    owe(store, 0, 1)
    with store.read() as tx:
        assert destination_counts.failed(tx, None, "folder", limit=9) == []
    fail(store, "job_1/1/folder")
    with store.read() as tx:
        for tenant in ("default", None):
            found = destination_counts.failed(tx, tenant, "folder", limit=9)
            assert [one.key for one in found] == ["job_1/1/folder"]
