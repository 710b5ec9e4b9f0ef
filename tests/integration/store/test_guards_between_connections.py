"""Each guard of the store against a second connection, on PostgreSQL: SQLite's one writer hides the races.

One transaction is open here while another one runs in a thread. That it waits, and for what, is asked of the
server; that it does not wait is shown by its ending while ours is still open.
"""

import pytest
from sqlalchemy import update

from orchestrator.core.job import HandOff, HandOffKind, HandOffState, Job, Owed
from orchestrator.core.lifecycle import State
from orchestrator.errors import StoreError
from orchestrator.store import due_jobs, hand_offs, inbox, jobs, leases, schema, workers
from orchestrator.store.database import WORKER_DEAD_AFTER, Store, Transaction
from orchestrator.store.leases import Lease
from orchestrator.store.workers import Pulse
from tests.integration.store.rows import START, Clock, a_job, claim, entry, join, keep, owe, read, remember
from tests.integration.store.rows import a_delivery as delivery
from tests.integration.store.together import Elsewhere, ended, undone


@pytest.fixture
def kind() -> str:
    return "postgresql"


def move(store: Store, job: Job, to: State) -> tuple[bool, State]:
    """Move a job that was read before; whether it moved, and what it is then, in the same transaction."""
    with store.write() as tx:
        moved = jobs.move_if_still(tx, job, {"state": to, "next_seq": job.next_seq + 1})
        return moved, jobs.require(tx, job.id).state


# moves


def test_of_two_who_read_the_same_row_the_second_waits_loses_and_reads_what_the_first_made(
    store: Store, elsewhere: Elsewhere
) -> None:
    keep(store, a_job())
    both_read = read(store)
    with store.write() as tx:
        assert jobs.move_if_still(tx, both_read, {"state": State.COMPLETED, "next_seq": 2})
        second = elsewhere.begin_and_wait_for_us(lambda: move(store, both_read, State.FAILED))
    assert ended(second) == (False, State.COMPLETED)
    assert read(store).state is State.COMPLETED


def test_when_the_first_is_undone_the_second_moves_the_row(store: Store, elsewhere: Elsewhere) -> None:
    keep(store, a_job())
    both_read = read(store)
    with undone(store) as tx:
        assert jobs.move_if_still(tx, both_read, {"state": State.COMPLETED, "next_seq": 2})
        second = elsewhere.begin_and_wait_for_us(lambda: move(store, both_read, State.FAILED))
    assert ended(second) == (True, State.FAILED)


def test_a_job_that_is_held_is_read_by_the_next_only_as_the_first_left_it(
    store: Store, elsewhere: Elsewhere
) -> None:
    keep(store, a_job())

    def count_webhook() -> int:
        with store.write() as tx:
            job = jobs.lock(tx, "job_1")
            assert jobs.move_if_still(tx, job, {"webhooks": job.webhooks + 1, "next_seq": job.next_seq + 1})
            return job.webhooks

    with store.write() as tx:
        job = jobs.lock(tx, "job_1")
        second = elsewhere.begin_and_wait_for_us(count_webhook)
        assert jobs.move_if_still(tx, job, {"webhooks": 1, "next_seq": 2})
    assert ended(second) == 1
    assert (read(store).webhooks, read(store).next_seq) == (2, 3)


def test_of_two_jobs_that_learn_the_same_gateway_id_at_once_one_gets_it(
    store: Store, elsewhere: Elsewhere
) -> None:
    keep(store, a_job("job_1"), a_job("job_2"))

    def learn() -> None:
        with store.write() as tx:
            jobs.note(tx, "job_2", {"gateway_id": "G-1"})

    with store.write() as tx:
        jobs.note(tx, "job_1", {"gateway_id": "G-1"})
        second = elsewhere.begin_and_wait_for_us(learn)
    with pytest.raises(StoreError, match="uq_jobs_account_id_gateway_id"):
        ended(second)
    assert read(store, "job_2").gateway_id is None


# once only


def test_an_event_delivered_twice_at_once_is_one_row_and_one_of_the_two_is_first(
    store: Store, elsewhere: Elsewhere, clock: Clock
) -> None:
    with store.write() as tx:
        one = inbox.remember_all_once(tx, [delivery()])[0]
        second = elsewhere.begin_and_wait_for_us(lambda: remember(store))
    assert one[1] is True
    assert ended(second) == (one[0], False)
    assert entry(store, one[0]).deliveries == 2


def test_when_the_first_delivery_is_undone_the_second_is_first(store: Store, elsewhere: Elsewhere) -> None:
    with undone(store) as tx:
        inbox.remember_all_once(tx, [delivery()])
        second = elsewhere.begin_and_wait_for_us(lambda: remember(store))
    entry_id, first = ended(second)
    assert first is True
    assert entry(store, entry_id).deliveries == 1


def owe_one(tx: Transaction) -> int:
    return hand_offs.owe(tx, [Owed("k", "job_1", HandOffKind.OUTPUT, "folder", START, output_index=0)])


def owe_elsewhere(store: Store) -> int:
    with store.write() as tx:
        return owe_one(tx)


def test_what_two_owe_at_once_under_one_key_is_owed_once(store: Store, elsewhere: Elsewhere) -> None:
    keep(store, a_job(state=State.COMPLETED))
    with store.write() as tx:
        assert owe_one(tx) == 1
        second = elsewhere.begin_and_wait_for_us(lambda: owe_elsewhere(store))
    assert ended(second) == 0
    with store.read() as tx:
        assert len(hand_offs.of_job(tx, "job_1")) == 1


def test_when_the_first_is_undone_the_second_owes_it(store: Store, elsewhere: Elsewhere) -> None:
    keep(store, a_job(state=State.COMPLETED))
    with undone(store) as tx:
        assert owe_one(tx) == 1
        second = elsewhere.begin_and_wait_for_us(lambda: owe_elsewhere(store))
    assert ended(second) == 1


@pytest.fixture
def dead(store: Store) -> HandOff:
    """A hand-off that was given up."""
    keep(store, a_job(state=State.COMPLETED))
    owe(store, 0)
    with store.write() as tx:
        (owed,) = hand_offs.of_job(tx, "job_1")
        tx.execute(update(schema.hand_offs).values(state=HandOffState.DEAD, due_at=None))
    return owed


def hand_off(store: Store) -> HandOff:
    with store.read() as tx:
        (found,) = hand_offs.of_job(tx, "job_1")
    return found


def test_a_hand_off_that_two_revive_at_once_is_revived_once(
    store: Store, elsewhere: Elsewhere, dead: HandOff
) -> None:
    def revive() -> bool:
        with store.write() as tx:
            return hand_offs.revive(tx, dead.id)

    with store.write() as tx:
        assert hand_offs.revive(tx, dead.id)
        second = elsewhere.begin_and_wait_for_us(revive)
    assert ended(second) is False
    assert (hand_off(store).state, hand_off(store).due_at) == (HandOffState.OWED, START)


def test_what_is_being_withdrawn_is_not_hastened(store: Store, elsewhere: Elsewhere) -> None:
    keep(store, a_job(state=State.COMPLETED))
    owe(store, 0, due_at=START + 120)

    def hasten() -> int:
        with store.write() as tx:
            return hand_offs.hasten(tx, "job_1")

    with store.write() as tx:
        assert len(hand_offs.withdraw(tx, "job_1")) == 1
        late = elsewhere.begin_and_wait_for_us(hasten)
    assert ended(late) == 0
    assert (hand_off(store).state, hand_off(store).due_at) == (HandOffState.WITHDRAWN, None)


def test_what_is_being_hastened_is_withdrawn_after_it(store: Store, elsewhere: Elsewhere) -> None:
    keep(store, a_job(state=State.COMPLETED))
    owe(store, 0, due_at=START + 120)

    def withdraw() -> int:
        with store.write() as tx:
            return len(hand_offs.withdraw(tx, "job_1"))

    with store.write() as tx:
        assert hand_offs.hasten(tx, "job_1") == 1
        late = elsewhere.begin_and_wait_for_us(withdraw)
    assert ended(late) == 1
    assert (hand_off(store).state, hand_off(store).due_at) == (HandOffState.WITHDRAWN, None)


# workers


def test_a_lease_that_somebody_is_just_taking_over_is_not_ended(
    store: Store, elsewhere: Elsewhere, clock: Clock
) -> None:
    keep(store, a_job())
    join(store, "a", "b")
    (old,) = claim(store, "a", lease=1)
    clock.now += 1

    def end() -> bool:
        with store.write() as tx:
            return leases.end_if_still(tx, "a", Lease("job", old.id, old.fence))

    with store.write() as tx:
        (new,) = due_jobs.claim(tx, due_jobs.LOOKS, worker="b", limit=1, lease=60)
        late = elsewhere.begin_and_wait_for_us(end)
    assert ended(late) is False
    assert read(store) == new


def test_of_two_for_whom_it_is_time_again_one_does_it(
    store: Store, elsewhere: Elsewhere, clock: Clock
) -> None:
    def is_time() -> bool:
        with store.write() as tx:
            return workers.pulse_if_older(tx, Pulse.HOUSEKEEPING, 60)

    for _ in range(2):  # the first time there is no row yet
        with store.write() as tx:
            assert workers.pulse_if_older(tx, Pulse.HOUSEKEEPING, 60)
            second = elsewhere.begin_and_wait_for_us(is_time)
        assert ended(second) is False
        clock.now += 60


def test_a_heartbeat_that_comes_as_the_lease_is_taken_does_not_get_it_back(
    store: Store, elsewhere: Elsewhere, clock: Clock
) -> None:
    keep(store, a_job())
    join(store, "a")
    (old,) = claim(store, "a", lease=600)
    clock.now += WORKER_DEAD_AFTER
    join(store, "b")
    with store.write() as tx:
        assert workers.beat(tx, "a"), "not committed yet, so nobody else sees it"
        (new,) = ended(elsewhere.begin(lambda: claim(store, "b")))
    with store.write() as tx:
        assert not due_jobs.release_if_ours(tx, old, {"due_at": START + 999})
    assert (new.leased_by, new.fence) == ("b", 2)
    assert claim(store, "a") == [], "whoever lives again does not void the lease of whoever has it now"


def test_a_heartbeat_that_waits_for_the_burial_learns_that_it_must_join_again(
    store: Store, elsewhere: Elsewhere, clock: Clock
) -> None:
    join(store, "a")
    clock.now += 10 * WORKER_DEAD_AFTER + 1

    def beat() -> bool:
        with store.write() as tx:
            return workers.beat(tx, "a")

    with store.write() as tx:
        assert workers.bury_dead(tx) == 1
        late = elsewhere.begin_and_wait_for_us(beat)
    assert ended(late) is False
    join(store, "a")


def test_a_worker_that_beats_while_it_is_to_be_buried_is_not(
    store: Store, elsewhere: Elsewhere, clock: Clock
) -> None:
    join(store, "a")
    clock.now += 10 * WORKER_DEAD_AFTER + 1

    def bury() -> int:
        with store.write() as tx:
            return workers.bury_dead(tx)

    with store.write() as tx:
        assert workers.beat(tx, "a")
        burial = elsewhere.begin(bury)
        # It may wait for us or pass us over; either way the worker stays.
    assert ended(burial) == 0
    with store.write() as tx:
        assert workers.beat(tx, "a")


def test_a_heartbeat_that_had_to_wait_takes_back_nothing_of_a_later_one(
    store: Store, elsewhere: Elsewhere, clock: Clock
) -> None:
    join(store, "a")

    def beat_later() -> bool:
        clock.now += 5
        with store.write() as tx:
            return workers.beat(tx, "a")

    with store.write() as tx:
        assert ended(elsewhere.begin(beat_later))
        assert workers.beat(tx, "a")
    clock.now += WORKER_DEAD_AFTER - 0.1
    with store.read() as tx:
        assert workers.alive(tx) == [1]


def test_a_pulse_that_had_to_wait_takes_back_nothing_of_a_later_one(
    store: Store, elsewhere: Elsewhere, clock: Clock
) -> None:
    def pulse_later() -> None:
        clock.now += 5
        with store.write() as tx:
            workers.pulse(tx, Pulse.SWEEP)

    with store.write() as tx:
        ended(elsewhere.begin(pulse_later))
        workers.pulse(tx, Pulse.SWEEP)
    with store.read() as tx:
        assert workers.last_pulse(tx, Pulse.SWEEP) == START + 5


def test_of_two_that_join_under_one_name_one_is_refused(store: Store, elsewhere: Elsewhere) -> None:
    with store.write() as tx:
        workers.join(tx, "w", host="here", pid=1)
        second = elsewhere.begin_and_wait_for_us(lambda: join(store, "w"))
    with pytest.raises(StoreError, match="pk_workers"):
        ended(second)
    with store.read() as tx:
        assert workers.alive(tx) == [1]
