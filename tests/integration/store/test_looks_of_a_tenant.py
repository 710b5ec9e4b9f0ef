"""Looks that a tenant may send: saved up for a while, taken once by several workers, given back, owed."""

import pytest

from orchestrator.core.job import Job
from orchestrator.store import due_jobs, tenants
from orchestrator.store.database import Store
from tests.integration.store.rows import START, Clock, a_job, claim, join, keep, read
from tests.integration.store.together import Elsewhere, ended

RATE = 2.0


def take(store: Store, wanted: int, rate: float = RATE) -> tuple[int, float]:
    with store.write() as tx:
        return tenants.take_looks(tx, "default", wanted, rate=rate)


def test_a_tenant_begins_with_a_few_seconds_of_looks_and_gets_more_with_time(
    store: Store, clock: Clock
) -> None:
    assert take(store, 4) == (4, 0.0)
    assert take(store, 100) == (6, 0.5)
    assert take(store, 100) == (0, 0.5)
    clock.now += 0.75
    assert take(store, 100) == (1, 0.25)
    clock.now += 3_600
    assert take(store, 100) == (10, 0.5)


def test_less_than_one_look_a_second_is_a_look_now_and_then(store: Store, clock: Clock) -> None:
    assert take(store, 5, rate=0.1) == (1, 10.0)
    clock.now += 9.9
    assert take(store, 5, rate=0.1)[0] == 0
    clock.now += 0.1
    assert take(store, 5, rate=0.1)[0] == 1


def test_looks_that_were_not_sent_are_given_back_and_what_was_sent_beyond_is_owed(store: Store) -> None:
    take(store, 10)
    with store.write() as tx:
        tenants.give_looks_back(tx, "default", 3)
    assert take(store, 2)[0] == 2
    with store.write() as tx:
        tenants.give_looks_back(tx, "default", -4)
    assert take(store, 2) == (0, 2.0)


def test_a_clock_that_was_set_back_holds_up_no_look_for_long(store: Store, clock: Clock) -> None:
    take(store, 10)
    clock.now -= 3_600
    assert take(store, 1) == (0, 0.5)
    clock.now += 1
    assert take(store, 5)[0] == 2


@pytest.mark.parametrize("kind", ["postgresql"])
def test_two_workers_never_take_the_same_look(store: Store, elsewhere: Elsewhere) -> None:
    with store.write() as tx:
        first, _ = tenants.take_looks(tx, "default", 7, rate=RATE)
        took: list[int] = []
        other = elsewhere.begin_and_wait_for_us(lambda: took.append(take(store, 7)[0]))
    ended(other)
    assert (first, took) == (7, [3])


@pytest.mark.parametrize(
    ("own", "settings", "rates"),
    [(None, 0.0, {}), (None, 4.0, {"default": 4.0}), (0.5, 0.0, {"default": 0.5}), (0.0, 4.0, {})],
)
def test_a_rate_of_its_own_goes_before_the_settings(
    store: Store, own: float | None, settings: float, rates: dict[str, float]
) -> None:
    with store.write() as tx:
        tenants.change(tx, "default", {"looks_per_second": own})
        assert tenants.look_rates(tx, {"default", "nobody"}, otherwise=settings) == rates


def as_put_off(job: Job, due_at: float) -> dict[str, object]:
    return {"id": job.id, "fence": job.fence, "leased_by": job.leased_by, "due_at": due_at}


def test_jobs_that_are_put_off_are_given_back_as_they_were_unless_somebody_else_holds_them(
    store: Store, clock: Clock
) -> None:
    keep(store, a_job("job_1"), a_job("job_2"))
    join(store, "a", "b")
    first, second = claim(store, "a", lease=1)
    clock.now += 1
    (again,) = claim(store, "b", limit=1)
    assert again.id == first.id
    with store.write() as tx:
        due_jobs.put_off_looks(tx, [as_put_off(one, START + 30) for one in (first, second)])
        due_jobs.put_off_looks(tx, [])
    assert read(store, first.id) == again
    left = read(store, second.id)
    assert (left.leased_by, left.lease_until, left.due_at) == (None, None, START + 30)
    assert (left.looks, left.last_look_at) == (0, None)


def test_a_look_that_took_no_request_of_its_own_counts_none(store: Store) -> None:
    keep(store, a_job())
    join(store, "w")
    (job,) = claim(store, "w")
    told = {"look_errors": 0, "look_error": None, "poll_after": 7.0, "progress": 3, "looks": 0}
    with store.write() as tx:
        due_jobs.note_looks(tx, [as_put_off(job, START + 9) | told | {"seen_running_at": START}])
    after = read(store)
    assert (after.looks, after.last_look_at, after.seen_running_at) == (0, START, START)
