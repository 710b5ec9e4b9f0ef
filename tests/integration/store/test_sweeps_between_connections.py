"""Sweeps that meet each other, a delivery or a worker that wakes up, on PostgreSQL."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from orchestrator.core.lifecycle import State, Verdict
from orchestrator.engine.context import Context
from orchestrator.engine.housekeeping import keep_house
from orchestrator.engine.purge import DAY
from orchestrator.engine.sweep import sweep
from orchestrator.fault_points import FaultPoint
from orchestrator.store import inbox, jobs, workers
from orchestrator.store.database import WORKER_DEAD_AFTER, Store
from orchestrator.store.inbox import EntryState
from tests.integration.store.rows import Clock, a_delivery, a_job, entry, keep, read, remember
from tests.integration.store.together import Elsewhere, Held, ended
from tests.integration.store.use_cases import a_process, a_webhook, creating, entries, timeline


@pytest.fixture
def kind() -> str:
    return "postgresql"


@pytest.fixture
def context(store: Store, tmp_path: Path) -> Iterator[Context]:
    context = a_process(store, tmp_path)
    yield context
    context.close()


def test_two_sweeps_that_find_the_same_abandoned_create_give_it_one_verdict(
    store: Store, context: Context, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    creating(store)
    other = a_process(store, tmp_path)
    held = Held(FaultPoint.OBSERVE_MOVED)
    first = elsewhere.begin(partial(sweep, context))
    held.until_reached()
    second = elsewhere.begin_and_wait_for_us(partial(sweep, other))
    held.let_go()
    ended(first)
    ended(second)
    other.close()
    assert read(store).state is State.UNCERTAIN
    assert [one.verdict for one in timeline(store)].count(Verdict.MOVED) == 1


def a_webhook_to_match(store: Store) -> int:
    """One that waits although its job is known: the next sweep brings them together."""
    keep(store, a_job(gateway_id="G-1"))
    with store.write() as tx:
        return inbox.remember_all_once(tx, [a_delivery(body=a_webhook("completed"))])[0][0]


def test_two_sweeps_that_find_the_same_waiting_webhook_count_it_once(
    store: Store, context: Context, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    entry_id = a_webhook_to_match(store)
    other = a_process(store, tmp_path)
    held = Held(FaultPoint.OBSERVE_MOVED)
    first = elsewhere.begin(partial(sweep, context))
    held.until_reached()
    second = elsewhere.begin_and_wait_for_us(partial(sweep, other))
    held.let_go()
    ended(first)
    ended(second)
    other.close()
    assert entry(store, entry_id).state is EntryState.APPLIED
    assert (read(store).state, read(store).webhooks) == (State.COMPLETED, 1)


def test_a_sweep_that_matches_a_webhook_takes_the_job_before_the_entry_as_a_delivery_does(
    store: Store, context: Context, elsewhere: Elsewhere
) -> None:
    entry_id = a_webhook_to_match(store)
    with store.write() as tx:
        jobs.lock(tx, "job_1")
        sweeping = elsewhere.begin_and_wait_for_us(partial(sweep, context))
        inbox.remember_all_once(tx, [a_delivery(body=a_webhook("completed"))])
    ended(sweeping)
    assert (read(store).state, entry(store, entry_id).state) == (State.COMPLETED, EntryState.APPLIED)


def test_a_worker_that_wakes_up_as_it_is_being_buried_and_whoever_buries_it_both_finish(
    store: Store, context: Context, elsewhere: Elsewhere, clock: Clock, tmp_path: Path
) -> None:
    sleeper = a_process(store, tmp_path)
    clock.now += 10 * WORKER_DEAD_AFTER + 1
    a_webhook_to_match(store)
    held = Held(FaultPoint.OBSERVE_MOVED)
    burying = elsewhere.begin(partial(sweep, context))
    held.until_reached()
    waking = elsewhere.begin_and_wait_for_us(partial(sweep, sleeper))
    held.let_go()
    ended(burying)
    ended(waking)
    sleeper.close()
    with store.write() as tx:
        assert workers.beat(tx, sleeper.worker), "it lives"


def test_what_is_old_is_removed_on_postgresql_too(store: Store, context: Context, clock: Clock) -> None:
    for _ in range(2):
        remember(store)
        clock.now += context.settings.retain_inbox_days * DAY + 1
        keep_house(context)
        assert entries(store) == []
