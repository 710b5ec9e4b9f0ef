"""The database's machine lost its power: it forgot a lease, and gives its fence to somebody else."""

from typing import Any

import pytest
from sqlalchemy import update

from orchestrator.core.job import HandOff, HandOffState
from orchestrator.core.lifecycle import State
from orchestrator.store import due_jobs, hand_offs, leases, schema
from orchestrator.store.database import Store
from orchestrator.store.leases import Lease
from tests.integration.store.rows import START, a_job, claim, join, keep, owe, read


@pytest.fixture(autouse=True)
def _two_workers(store: Store) -> None:
    join(store, "old", "new")


def forget_leases(store: Store) -> None:
    """The rows as they were on the disk, before the last claim."""
    with store.write() as tx:
        for table in (schema.jobs, schema.hand_offs):
            forgotten: dict[str, Any] = {"leased_by": None, "lease_until": None, "fence": table.c.fence - 1}
            tx.execute(update(table).where(table.c.leased_by == "old").values(forgotten))


def claim_hand_off(store: Store, worker: str) -> HandOff:
    with store.write() as tx:
        claimed = hand_offs.claim_due(tx, worker=worker, lease=60)
    assert claimed is not None
    return claimed


def test_of_two_that_look_at_one_job_only_the_one_whose_lease_is_known_gives_it_back(store: Store) -> None:
    keep(store, a_job())
    (old,) = claim(store, "old")
    forget_leases(store)
    (new,) = claim(store, "new")
    assert old.fence == new.fence
    told = {"look_errors": 0, "look_error": None, "poll_after": None, "progress": 30, "due_at": START + 20}
    with store.write() as tx:
        assert not due_jobs.release_if_ours(tx, old, {"due_at": START + 999})
        due_jobs.note_looks(tx, [told | {"id": old.id, "fence": old.fence, "leased_by": old.leased_by}])
        assert not leases.end_if_still(tx, "old", Lease("job", old.id, old.fence))
    assert read(store) == new
    with store.write() as tx:
        due_jobs.note_looks(tx, [told | {"id": new.id, "fence": new.fence, "leased_by": new.leased_by}])
        assert not due_jobs.release_if_ours(tx, new, {}), "it was given back just now"
    assert (read(store).looks, read(store).leased_by) == (1, None)


def test_of_two_that_make_one_hand_off_only_the_one_whose_lease_is_known_ends_it(store: Store) -> None:
    keep(store, a_job(state=State.COMPLETED, due_at=None))
    owe(store, 0)
    old = claim_hand_off(store, "old")
    forget_leases(store)
    new = claim_hand_off(store, "new")
    assert old.fence == new.fence
    done = {"state": HandOffState.DONE, "due_at": None}
    with store.write() as tx:
        assert not hand_offs.renew_if_ours(tx, old, lease=600)
        assert not hand_offs.finish_if_ours(tx, old, done)
        assert hand_offs.get(tx, new.id) == new
        assert hand_offs.renew_if_ours(tx, new, lease=600)
        assert hand_offs.finish_if_ours(tx, new, done)
