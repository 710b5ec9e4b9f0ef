"""Claims and fences against a second connection, on PostgreSQL: neither waits for the other, nor takes it."""

import pytest

from orchestrator.core.job import HandOff, HandOffState, Job
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import ARCHIVE
from orchestrator.store import due_jobs, hand_offs, jobs
from orchestrator.store.database import Store
from tests.integration.store.rows import START, Clock, a_job, claim, join, keep, owe, read
from tests.integration.store.together import Elsewhere, ended, undone


@pytest.fixture
def kind() -> str:
    return "postgresql"


# claims


def test_two_claims_at_once_take_different_jobs_and_neither_waits(store: Store, elsewhere: Elsewhere) -> None:
    keep(store, *(a_job(f"job_{at}", due_at=START - 10 + at) for at in range(5)))
    join(store, "a", "b", "c")
    with store.write() as tx:
        first = due_jobs.claim(tx, due_jobs.LOOKS, worker="a", limit=2, lease=60)
        second = ended(elsewhere.begin(lambda: claim(store, "b", limit=2)))
        third = ended(elsewhere.begin(lambda: claim(store, "c", limit=9)))
    taken = [[job.id for job in batch] for batch in (first, second, third)]
    assert taken == [["job_0", "job_1"], ["job_2", "job_3"], ["job_4"]]
    assert claim(store, "a") == []


def test_what_a_claim_took_that_is_undone_is_there_for_the_next(store: Store, elsewhere: Elsewhere) -> None:
    keep(store, a_job())
    join(store, "a", "b")
    with undone(store) as tx:
        assert due_jobs.claim(tx, due_jobs.LOOKS, worker="a", limit=1, lease=60)
        assert ended(elsewhere.begin(lambda: claim(store, "b"))) == []
    (job,) = claim(store, "b")
    assert (job.leased_by, job.fence) == ("b", 1)


def test_a_claim_passes_over_a_job_that_a_webhook_is_just_moving(store: Store, elsewhere: Elsewhere) -> None:
    keep(store, a_job("job_1", due_at=START - 5), a_job("job_2"))
    join(store, "w")
    with store.write() as tx:
        job = jobs.lock(tx, "job_1")
        claimed = ended(elsewhere.begin(lambda: claim(store, "w")))
        assert jobs.move_if_still(tx, job, {"state": State.COMPLETED, "due_at": None, "next_seq": 2})
    assert [job.id for job in claimed] == ["job_2"]


def test_what_is_put_off_is_not_waited_for_and_what_is_being_claimed_is_passed_over(
    store: Store, elsewhere: Elsewhere
) -> None:
    keep(store, *(a_job(f"job_{at}", State.ACCEPTED, due_at=START - 10 + at) for at in range(3)))
    join(store, "a")

    def put_off() -> None:
        with store.write() as tx:
            due_jobs.put_off_creates(tx, a_job(), until=START + 15)

    with store.write() as tx:
        (claimed,) = due_jobs.claim(tx, due_jobs.CREATES, worker="a", limit=1, lease=60)
        ended(elsewhere.begin(put_off))
    assert read(store, "job_0") == claimed
    assert [read(store, f"job_{at}").due_at for at in (1, 2)] == [START + 15] * 2


def claim_hand_off(store: Store, worker: str) -> HandOff | None:
    with store.write() as tx:
        return hand_offs.claim_due(tx, worker=worker, lease=60)


def test_two_claims_at_once_take_different_hand_offs_and_neither_waits(
    store: Store, elsewhere: Elsewhere
) -> None:
    keep(store, a_job("job_1", State.COMPLETED), a_job("job_2", State.COMPLETED))
    join(store, "a", "b", "c")
    owe(store, 0, job_id="job_1", due_at=START - 5)
    owe(store, 0, job_id="job_2")
    with store.write() as tx:
        first = hand_offs.claim_due(tx, worker="a", lease=60)
        second = ended(elsewhere.begin(lambda: claim_hand_off(store, "b")))
        assert ended(elsewhere.begin(lambda: claim_hand_off(store, "c"))) is None
    assert first is not None
    assert second is not None
    assert (first.job_id, second.job_id) == ("job_1", "job_2")


def test_a_further_output_waits_for_one_that_another_connection_is_just_taking(
    store: Store, elsewhere: Elsewhere
) -> None:
    keep(store, a_job(state=State.COMPLETED))
    join(store, "a", "b")
    owe(store, 0, 1, to=ARCHIVE)
    with store.write() as tx:
        first = hand_offs.claim_due(tx, worker="a", lease=60)
        assert first is not None
        assert first.output_index == 0
        assert ended(elsewhere.begin(lambda: claim_hand_off(store, "b"))) is None
    assert claim_hand_off(store, "b") is None


# fences


def test_a_late_worker_that_waits_for_the_next_claim_to_commit_releases_nothing(
    store: Store, elsewhere: Elsewhere, clock: Clock
) -> None:
    keep(store, a_job())
    join(store, "a", "b")
    (old,) = claim(store, "a", lease=1)
    clock.now += 1

    def release() -> bool:
        with store.write() as tx:
            return due_jobs.release_if_ours(tx, old, {"due_at": START + 999})

    with store.write() as tx:
        (new,) = due_jobs.claim(tx, due_jobs.LOOKS, worker="b", limit=1, lease=60)
        late = elsewhere.begin_and_wait_for_us(release)
    assert ended(late) is False
    assert read(store) == new


def test_a_late_look_counts_for_its_own_jobs_and_not_for_those_taken_from_it(
    store: Store, elsewhere: Elsewhere, clock: Clock
) -> None:
    keep(store, a_job("job_1", due_at=START - 5), a_job("job_2"))
    join(store, "a", "b")
    taken, ours = claim(store, "a", lease=1)
    with store.write() as tx:
        jobs.note(tx, ours.id, {"lease_until": START + 600})
    clock.now += 1

    def look(job: Job) -> dict[str, object]:
        told = {"look_errors": 0, "look_error": None, "poll_after": None, "progress": 30}
        ours = {"id": job.id, "fence": job.fence, "leased_by": job.leased_by}
        return {**ours, "due_at": START + 20, **told}

    def note_looks() -> None:
        with store.write() as tx:
            due_jobs.note_looks(tx, [look(ours), look(taken)])

    with store.write() as tx:
        (new,) = due_jobs.claim(tx, due_jobs.LOOKS, worker="b", limit=9, lease=60)
        late = elsewhere.begin_and_wait_for_us(note_looks)
    ended(late)
    assert read(store, taken.id) == new
    assert (read(store, ours.id).looks, read(store, ours.id).leased_by) == (1, None)


def finish(store: Store, one: HandOff) -> bool:
    with store.write() as tx:
        return hand_offs.finish_if_ours(tx, one, {"state": HandOffState.DONE, "due_at": None})


def test_a_late_attempt_that_waits_for_the_next_claim_finishes_nothing(
    store: Store, elsewhere: Elsewhere, clock: Clock
) -> None:
    keep(store, a_job(state=State.COMPLETED))
    join(store, "a", "b")
    owe(store, 0)
    old = claim_hand_off(store, "a")
    assert old is not None
    clock.now += 60
    join(store, "c")
    with store.write() as tx:
        new = hand_offs.claim_due(tx, worker="c", lease=60)
        assert new is not None
        late = elsewhere.begin_and_wait_for_us(lambda: finish(store, old))
    assert ended(late) is False
    assert finish(store, new)


def test_an_attempt_that_ends_while_the_job_is_withdrawn_did_not_finish(
    store: Store, elsewhere: Elsewhere
) -> None:
    keep(store, a_job(state=State.COMPLETED))
    join(store, "a")
    owe(store, 0)
    one = claim_hand_off(store, "a")
    assert one is not None
    with store.write() as tx:
        assert len(hand_offs.withdraw(tx, "job_1")) == 1
        late = elsewhere.begin_and_wait_for_us(lambda: finish(store, one))
    assert ended(late) is False
    with store.read() as tx:
        assert [one.state for one in hand_offs.of_job(tx, "job_1")] == [HandOffState.WITHDRAWN]
