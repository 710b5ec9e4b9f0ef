"""A worker that stood still for long claims only what it can hold, though its heartbeat may come later."""

import pytest

from orchestrator.store import workers
from orchestrator.store.database import WORKER_DEAD_AFTER, Store
from tests.integration.store.rows import Clock, a_job, claim, join, keep


@pytest.fixture(autouse=True)
def _two_workers(store: Store) -> None:
    keep(store, a_job("job_1"), a_job("job_2"))
    join(store, "w", "v")


def ids(store: Store, worker: str) -> list[str]:
    return sorted(job.id for job in claim(store, worker))


def test_what_it_claims_is_its_own(store: Store, clock: Clock) -> None:
    clock.now += WORKER_DEAD_AFTER + 1
    assert ids(store, "w") == ["job_1", "job_2"]
    assert ids(store, "v") == []


def test_what_it_was_doing_is_not_begun_again_beside_it(store: Store, clock: Clock) -> None:
    assert [job.id for job in claim(store, "w", limit=1)] == ["job_1"]
    clock.now += WORKER_DEAD_AFTER + 1
    assert ids(store, "w") == ["job_2"]


def test_one_that_was_buried_claims_nothing_until_it_has_joined_again(store: Store, clock: Clock) -> None:
    clock.now += 20 * WORKER_DEAD_AFTER
    with store.write() as tx:
        workers.bury_dead(tx)
    assert ids(store, "w") == []
    join(store, "w")
    assert ids(store, "w") == ["job_1", "job_2"]
