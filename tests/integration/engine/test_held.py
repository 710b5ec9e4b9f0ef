"""A lease under which nobody works any more is given back, and no other."""

import pytest
from sqlalchemy import update

from orchestrator import fault_points
from orchestrator.core.job import HandOffState
from orchestrator.core.lifecycle import State
from orchestrator.engine.follow_up import Task
from orchestrator.errors import StoreError
from orchestrator.fault_points import FaultPoint
from orchestrator.store import hand_offs, leases, schema
from orchestrator.store.database import Transaction
from orchestrator.store.leases import Lease
from orchestrator.tasks.work import perform
from tests.integration.engine.harness import Engine


def fail_at(*points: FaultPoint) -> None:
    """Let the database be away for whoever comes to one of these places."""

    def watcher(point: FaultPoint) -> None:
        if point in points:
            raise StoreError("the database went away", hint="it is tried again")

    fault_points.watch(watcher)


@pytest.mark.parametrize("point", [FaultPoint.HAND_OFF_CLAIMED, FaultPoint.HAND_OFF_PUBLISHED])
def test_a_hand_off_that_lost_the_database_is_free_after_two_heartbeats(
    point: FaultPoint, engine: Engine
) -> None:
    job_id = engine.created()
    assert engine.look_when_due(job_id).state is State.COMPLETED
    engine.archive()
    fail_at(point)
    perform(Task.HAND_OFF, engine.context, lambda _: None)  # type: ignore[arg-type]
    fault_points.watch(None)
    (left,) = engine.owed(job_id)
    assert left.leased_by == engine.context.worker
    engine.context.held.give_back(engine.context)
    assert engine.owed(job_id) == [left], "it may have been claimed in this moment"
    engine.context.held.give_back(engine.context)
    assert engine.owed(job_id)[0].leased_by is None

    assert engine.hand_off_all() == 1
    assert engine.owed(job_id)[0].state is HandOffState.DONE


def test_what_somebody_works_on_is_kept(engine: Engine) -> None:
    job_id = engine.created()
    assert engine.look_when_due(job_id).state is State.COMPLETED
    engine.archive()
    with engine.context.store.write() as tx:
        claimed = hand_offs.claim_due(tx, worker=engine.context.worker, lease=60)
    assert claimed is not None
    engine.context.held.doubt()
    with engine.context.held.working([claimed]):
        for _ in range(4):
            engine.context.held.give_back(engine.context)
    assert engine.owed(job_id)[0].leased_by == engine.context.worker
    assert engine.owed(job_id)[0].fence == claimed.fence


def test_a_look_that_lost_the_database_is_free_too(engine: Engine) -> None:
    job_id = engine.created(duration=0)
    engine.later(60)
    fail_at(FaultPoint.LOOK_ANSWERED)
    perform(Task.LOOK, engine.context, lambda _: None)  # type: ignore[arg-type]
    fault_points.watch(None)
    for _ in range(2):
        engine.context.held.give_back(engine.context)
    assert engine.job(job_id).leased_by is None


def test_what_is_given_back_is_taken_in_the_order_in_which_everybody_holds_rows(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [engine.created() for _ in range(4)]
    engine.look_when_due(ids[0])
    numbers = [one.id for job_id in ids for one in engine.hand_offs(job_id)]
    with engine.store.write() as tx:
        for table in (schema.jobs, schema.hand_offs):
            tx.execute(update(table).values(leased_by=engine.context.worker, lease_until=engine.now + 60))
    taken: list[str | int] = []
    real = leases.end_if_still

    def end(tx: Transaction, worker: str, lease: Lease) -> bool:
        taken.append(lease.row)
        return real(tx, worker, lease)

    monkeypatch.setattr(leases, "end_if_still", end)
    engine.context.held.doubt()
    for _ in range(2):
        engine.context.held.give_back(engine.context)
    assert taken == [*sorted(ids), *sorted(numbers)]
