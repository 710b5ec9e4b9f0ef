"""Hand-offs: owed once by their key, done by one worker at a time, in order within a job."""

from concurrent.futures import ThreadPoolExecutor

from orchestrator.core.job import HandOff, HandOffKind, HandOffState, Owed
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import ARCHIVE
from orchestrator.store import hand_offs, workers
from orchestrator.store.database import WORKER_DEAD_AFTER, Store
from tests.integration.store.rows import START, Clock, a_job, join, keep, owe, owe_outcome


def claim(store: Store, worker: str = "w", lease: float = 60.0) -> HandOff | None:
    with store.write() as tx:
        return hand_offs.claim_due(tx, worker=worker, lease=lease)


def claimed(store: Store, worker: str = "w") -> HandOff:
    found = claim(store, worker)
    assert found is not None
    return found


def finish(store: Store, one: HandOff, state: HandOffState = HandOffState.DONE) -> bool:
    with store.write() as tx:
        return hand_offs.finish_if_ours(tx, one, {"state": state, "due_at": None})


def states(store: Store, job_id: str = "job_1") -> list[HandOffState]:
    with store.read() as tx:
        return [one.state for one in hand_offs.of_job(tx, job_id)]


def begin(store: Store, *indexes: int, to: str = "folder") -> None:
    keep(store, a_job(state=State.COMPLETED))
    join(store, "w", "v")
    owe(store, *indexes, to=to)


def test_what_is_owed_already_is_not_owed_again(store: Store) -> None:
    begin(store, 0)
    assert finish(store, claimed(store))
    with store.write() as tx:
        again = Owed("job_1/0/folder", "job_1", HandOffKind.OUTPUT, "folder", START, output_index=0)
        assert hand_offs.owe(tx, [again, again]) == 0
        assert owe_outcome(tx, "job_1", "failed", "folder") == 1
        assert owe_outcome(tx, "job_1", "failed", "folder") == 0
    assert states(store) == [HandOffState.DONE, HandOffState.OWED]


def _outcome() -> Owed:
    return Owed("job_1/failed/folder", "job_1", HandOffKind.OUTCOME, "folder", START, outcome="failed")


def owe_leased(store: Store, worker: str = "w") -> list[HandOff]:
    with store.write() as tx:
        return hand_offs.owe_leased(tx, [_outcome()], worker=worker, lease=60.0)


def test_what_is_leased_as_it_becomes_owed_is_claimed_by_others_only_when_the_lease_is_over(
    store: Store, clock: Clock
) -> None:
    begin(store)
    (mine,) = owe_leased(store)
    assert (mine.leased_by, mine.lease_until, mine.attempts, mine.fence) == ("w", START + 60.0, 1, 1)
    assert claim(store, "v") is None
    clock.now += WORKER_DEAD_AFTER + 1.0
    with store.write() as tx:
        workers.beat(tx, "v")
    theirs = claimed(store, "v")
    assert (theirs.attempts, theirs.fence) == (2, 2)
    assert not finish(store, mine)
    assert finish(store, theirs)


def test_what_is_owed_already_is_not_leased(store: Store) -> None:
    begin(store)
    (mine,) = owe_leased(store)
    assert owe_leased(store, "v") == []
    assert finish(store, mine)
    assert owe_leased(store, "v") == []
    assert states(store) == [HandOffState.DONE]


def test_what_was_withdrawn_is_leased_above_every_fence_before(store: Store) -> None:
    begin(store)
    (first,) = owe_leased(store)
    with store.write() as tx:
        hand_offs.withdraw(tx, "job_1")
    (second,) = owe_leased(store)
    assert second.id == first.id
    assert second.fence > first.fence
    assert (second.state, second.attempts) == (HandOffState.OWED, 1)
    assert not finish(store, first), "who began before it was withdrawn ends nothing"
    assert finish(store, second)


def test_of_many_threads_each_hand_off_is_claimed_by_one(store: Store) -> None:
    keep(store, *(a_job(f"job_{at}") for at in range(40)))
    join(store, *"abcd")
    for at in range(40):
        owe(store, 0, job_id=f"job_{at}")

    def drain(worker: str) -> list[str]:
        got = []
        while one := claim(store, worker):
            got.append(one.key)
        return got

    with ThreadPoolExecutor(4) as threads:
        keys = [key for part in threads.map(drain, "abcd") for key in part]
    assert sorted(keys) == sorted(f"job_{at}/0/folder" for at in range(40))


def test_a_further_output_waits_until_the_one_before_is_in_the_archive_or_given_up(store: Store) -> None:
    begin(store, 1, 0, to=ARCHIVE)
    first = claimed(store)
    assert first.output_index == 0
    assert claim(store) is None
    assert finish(store, first, HandOffState.DEAD)
    assert claimed(store).output_index == 1


def test_outcomes_wait_for_nothing(store: Store) -> None:
    begin(store, 0)
    claimed(store)
    with store.write() as tx:
        owe_outcome(tx, "job_1", "output_missing-1", "folder")
    assert claimed(store).kind is HandOffKind.OUTCOME


def test_every_claim_is_another_attempt_with_a_higher_fence(store: Store, clock: Clock) -> None:
    begin(store, 0)
    first = claimed(store)
    clock.now += 3
    with store.write() as tx:
        workers.beat(tx, "v")
        workers.leave(tx, "w")
    second = claimed(store, "v")
    assert [(one.attempts, one.fence) for one in (first, second)] == [(1, 1), (2, 2)]


def test_an_attempt_that_lost_its_lease_can_neither_finish_nor_renew(store: Store, clock: Clock) -> None:
    begin(store, 0)
    old = claimed(store)
    clock.now += WORKER_DEAD_AFTER
    with store.write() as tx:
        workers.beat(tx, "v")
    new = claimed(store, "v")
    assert not finish(store, old)
    with store.write() as tx:
        assert not hand_offs.renew_if_ours(tx, old, lease=600)
        assert hand_offs.renew_if_ours(tx, new, lease=600)
    with store.read() as tx:
        held = hand_offs.get(tx, new.id)
    assert held is not None
    assert held.lease_until == clock.now + 600
    assert finish(store, new)
    assert not finish(store, new), "done is done"


def test_a_withdrawn_hand_off_is_not_done_by_whoever_has_it(store: Store) -> None:
    begin(store, 0, 1)
    one = claimed(store)
    with store.write() as tx:
        assert len(hand_offs.withdraw(tx, "job_1")) == 2
    assert not finish(store, one)
    assert states(store) == [HandOffState.WITHDRAWN] * 2
    assert claim(store) is None


def test_hastening_makes_due_what_is_owed_and_only_that(store: Store) -> None:
    begin(store)
    keep(store, a_job("job_2"))
    owe(store, 0, due_at=START + 120)
    owe(store, 0, job_id="job_2", due_at=START + 120)
    assert claim(store) is None
    with store.write() as tx:
        assert hand_offs.hasten(tx, "job_1") == 1
    assert claimed(store).job_id == "job_1"
    assert claim(store) is None


def test_the_next_moments_leave_out_what_somebody_does_already(store: Store) -> None:
    begin(store, 0, to=ARCHIVE)
    owe(store, 1, due_at=START + 5, to=ARCHIVE)
    owe(store, 2, due_at=START + 50, to=ARCHIVE)
    first = claimed(store)
    with store.write() as tx:
        assert hand_offs.due_moments(tx, until=START + 30, limit=9) == [], "it waits for the first output"
        hand_offs.finish_if_ours(tx, first, {"state": HandOffState.DONE, "due_at": None})
        assert hand_offs.due_moments(tx, until=START + 30, limit=9) == [START + 5]
