"""Purging beside somebody who keeps the same content, on PostgreSQL: SQLite's one writer hides the races."""

from typing import Any

import pytest

from orchestrator.core.job import OutputSeen
from orchestrator.core.lifecycle import SETTLED, State
from orchestrator.core.routes import Route
from orchestrator.store import archived, hand_offs, jobs, outputs, retention, schema
from orchestrator.store.database import Store, Transaction
from tests.integration.store.rows import START, Clock, a_job, keep, owe_outcome
from tests.integration.store.test_ways_through_the_archive import DONE, OWED, begin, standing
from tests.integration.store.together import Elsewhere, ended

SHA = "ab" * 32


@pytest.fixture
def kind() -> str:
    return "postgresql"


@pytest.fixture
def unused(store: Store, clock: Clock) -> Store:
    """A store whose archive has content that no output is of."""
    keep(store, a_job(state=State.COMPLETED))
    with store.write() as tx:
        outputs.learn_all(tx, [("job_1", OutputSeen(0))])
        archived.want(tx, SHA, 7)
    clock.now += 2 * archived.IN_USE
    return store


def confirm(store: Store) -> bool:
    """The end of an attempt: it says that the content is there, and of which output."""
    with store.write() as tx:
        if not archived.confirm(tx, SHA):
            return False
        outputs.note(tx, "job_1", 0, {"sha256": SHA, "archived_at": tx.now})
        return True


def take_out(store: Store) -> bool:
    with store.write() as tx:
        return archived.take_out(tx, SHA)


def test_whoever_keeps_content_waits_for_its_removal_and_is_told_that_it_is_gone(
    unused: Store, elsewhere: Elsewhere
) -> None:
    with unused.write() as tx:
        assert archived.take_out(tx, SHA)
        keeping = elsewhere.begin_and_wait_for_us(lambda: confirm(unused))
    assert not ended(keeping), "it puts it there once more"


def test_a_removal_waits_for_whoever_keeps_the_content_and_lets_it_be(
    unused: Store, elsewhere: Elsewhere
) -> None:
    with unused.write() as tx:
        assert archived.confirm(tx, SHA)
        outputs.note(tx, "job_1", 0, {"sha256": SHA, "archived_at": tx.now})
        removing = elsewhere.begin_and_wait_for_us(lambda: take_out(unused))
    assert not ended(removing)
    with unused.read() as tx:
        assert archived.unused(tx, limit=9) == []


def test_a_removal_waits_for_whoever_is_about_to_keep_the_content_and_lets_it_be(
    unused: Store, elsewhere: Elsewhere
) -> None:
    with unused.write() as tx:
        archived.want(tx, SHA, 7)
        removing = elsewhere.begin_and_wait_for_us(lambda: take_out(unused))
    assert not ended(removing)
    assert confirm(unused)


def test_two_removals_of_the_same_content_are_one(unused: Store, elsewhere: Elsewhere) -> None:
    with unused.write() as tx:
        assert archived.take_out(tx, SHA)
        second = elsewhere.begin_and_wait_for_us(lambda: take_out(unused))
    assert not ended(second)


def test_two_that_submit_the_first_jobs_for_a_place_open_its_lane_once(
    store: Store, elsewhere: Elsewhere
) -> None:
    def submit(job_id: str) -> None:
        keep(store, a_job(job_id, state=State.ACCEPTED, destinations=(Route("new"), Route("newer"))))

    with store.write() as tx:
        jobs.add(tx, [a_job("job_a", state=State.ACCEPTED, destinations=(Route("newer"), Route("new")))])
        other = elsewhere.begin_and_wait_for_us(lambda: submit("job_b"))
    ended(other)


def test_of_two_outputs_that_come_into_the_archive_at_once_one_tells_of_both(
    store: Store, elsewhere: Elsewhere
) -> None:
    def arrives(tx: Transaction, index: int) -> None:
        key = schema.hand_offs.c.key == f"job_1/{index}/archive"
        tx.execute(schema.hand_offs.update().where(key).values(state=DONE, due_at=None))
        hand_offs.announce_outputs(tx, "job_1", news=True)

    def second() -> None:
        with store.write() as tx:
            arrives(tx, 1)

    begin(store, 0, 1)
    with store.write() as tx:
        arrives(tx, 0)  # the other is on its way
        other = elsewhere.begin_and_wait_for_us(second)
    ended(other)
    assert standing(store)["completed/hook"] == (OWED, START)


def test_a_job_that_is_purged_waits_for_whoever_replays_it_and_stays(
    store: Store, elsewhere: Elsewhere
) -> None:
    keep(store, a_job(state=State.FAILED, settled_at=START))
    with store.write() as tx:
        owe_outcome(tx, "job_1", "failed")
        tx.execute(schema.hand_offs.update().values(state="dead", due_at=None))
    old: dict[str, Any] = {"before": START + 50, "states": SETTLED}

    def purge() -> int:
        with store.write() as tx:
            return retention.purge_jobs(tx, **old)

    with store.write() as tx:
        jobs.lock(tx, "job_1")
        (dead,) = hand_offs.of_job(tx, "job_1")
        assert hand_offs.revive(tx, dead.id)
        purging = elsewhere.begin_and_wait_for_us(purge)
    assert ended(purging) == 0
    with store.read() as tx:
        assert jobs.get(tx, "job_1") is not None
