"""Jobs: moved only by whoever read them last, held by one worker at a time."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import pytest
from sqlalchemy import event, text

from orchestrator.core.blame import Fault
from orchestrator.core.job import Job, Source, Updates
from orchestrator.core.lifecycle import Seen, State
from orchestrator.core.routes import Outcome, Route
from orchestrator.errors import StoreError
from orchestrator.store import due_jobs, job_lists, jobs, workers
from orchestrator.store.database import WORKER_DEAD_AFTER, Store
from tests.integration.store.rows import START, Clock, a_job, claim, join, keep, read


def test_a_job_comes_back_as_it_was_kept_in_every_field(store: Store) -> None:
    full = Job(
        id="job_full",
        tenant_id="default",
        account_id="default",
        request={"model": "m", "prompt": "日本語 🌅", "sample_count": 2},
        state=State.FAILED,
        session_id="job_full.3",
        accepted_at=1.5,
        state_since=2.5,
        deadline_at=3.5,
        updates=Updates.POLL,
        destinations=(Route("a"), Route("b", (Outcome.FAILED, Outcome.TIMED_OUT), link=True)),
        reference="order 7",
        end_user="user 7",
        retry_of="job_before",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        metadata={"user": {"id": 7}},
        attempts=3,
        without_webhook=True,
        gateway_id="G-9",
        gateway_status="failed",
        provider="x-ai",
        model="grok",
        progress=40,
        failure={"message": "no", "code": None, "detail": [1, None]},
        blame=Fault.PROVIDER,
        request_id="G-8",
        cost_usd=0.24,
        suspicion=Seen.FAILED_LIVE,
        won_by=Source.LIST,
        looks=4,
        look_errors=5,
        look_error="502",
        webhooks=6,
        clashes=7,
        detail_tries=2,
        needs_person=True,
        resubmitted=True,
        unconfirmed=True,
        cancel_requested_at=4.5,
        poll_after=20.0,
        last_look_at=5.5,
        created_at=6.5,
        settled_at=7.5,
        due_at=8.5,
        leased_by="w",
        lease_until=9.5,
        fence=8,
        next_seq=9,
        hooked=True,
        hook_at=10.5,
        hook_missed=True,
        seen_running_at=11.5,
        ending_class="x-ai|grok|8s",
    )
    plain = a_job("job_plain")
    blank = [one.name for one in fields(Job) if getattr(full, one.name) == getattr(plain, one.name)]
    assert blank == ["tenant_id", "account_id"], "the full job differs from a plain one everywhere else"
    keep(store, full, plain)
    assert read(store, "job_full") == full
    assert read(store, "job_plain") == plain


def test_jobs_are_kept_all_or_none(store: Store) -> None:
    with pytest.raises(StoreError):
        keep(store, a_job("job_1"), a_job("job_2", account_id="nobody"))
    with store.read() as tx:
        assert job_lists.recent(tx, limit=9) == []


# guarded moves


def test_of_two_who_read_the_same_row_one_moves_it(store: Store) -> None:
    keep(store, a_job())
    first, second = read(store), read(store)
    with store.write() as tx:
        assert jobs.move_if_still(tx, first, {"state": State.COMPLETED, "next_seq": 2})
    with store.write() as tx:
        assert not jobs.move_if_still(tx, second, {"state": State.FAILED, "next_seq": 2})
    assert read(store).state is State.COMPLETED


def test_a_move_is_refused_when_only_something_was_learned_meanwhile(store: Store) -> None:
    keep(store, a_job())
    stale = read(store)
    with store.write() as tx:
        assert jobs.move_if_still(tx, stale, {"next_seq": 2})
        assert not jobs.move_if_still(tx, stale, {"progress": 9, "next_seq": 2})


def test_of_many_threads_that_race_for_a_move_one_wins(store: Store) -> None:
    keep(store, a_job())
    stale = read(store)

    def move(number: int) -> bool:
        with store.write() as tx:
            return jobs.move_if_still(tx, stale, {"state": State.COMPLETED, "looks": number, "next_seq": 2})

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(move, range(40))) == 1


# claims and leases


def test_a_claim_takes_what_is_due_longest_and_leaves_the_rest(store: Store) -> None:
    keep(store, *(a_job(f"job_{at}", due_at=START - at) for at in range(4)), a_job("job_z", due_at=START + 1))
    keep(store, a_job("job_n", due_at=None), a_job("job_new", State.ACCEPTED))
    join(store, "w")
    assert {job.id for job in claim(store, "w", limit=3)} == {"job_1", "job_2", "job_3"}
    assert [job.id for job in claim(store, "w")] == ["job_0"]
    assert claim(store, "w") == []


def test_claims_are_exclusive_over_threads(store: Store) -> None:
    keep(store, *(a_job(f"job_{at:03}") for at in range(120)))
    join(store, *"abcd")

    def drain(worker: str) -> list[str]:
        got: list[str] = []
        while batch := claim(store, worker, limit=7):
            got += [job.id for job in batch]
        return got

    with ThreadPoolExecutor(4) as threads:
        got = [job_id for part in threads.map(drain, "abcd") for job_id in part]
    assert sorted(got) == [f"job_{at:03}" for at in range(120)]


def test_a_claim_tells_the_fence_that_later_writes_must_show(store: Store) -> None:
    keep(store, a_job(fence=4))
    join(store, "w")
    (job,) = claim(store, "w")
    assert (job.fence, job.leased_by, job.lease_until) == (5, "w", START + 60)


def test_a_lease_holds_while_its_worker_beats_and_no_longer(store: Store, clock: Clock) -> None:
    keep(store, a_job())
    join(store, "a", "b")
    assert claim(store, "a", lease=1_000)
    clock.now += WORKER_DEAD_AFTER - 0.1
    with store.write() as tx:
        workers.beat(tx, "b")
    assert claim(store, "b") == []
    clock.now += 0.1
    assert [job.leased_by for job in claim(store, "b")] == ["b"]


def test_a_lease_that_ran_out_is_free_though_its_worker_lives(store: Store, clock: Clock) -> None:
    keep(store, a_job())
    join(store, "a", "b")
    assert claim(store, "a", lease=3)
    clock.now += 2.9
    assert claim(store, "b") == []
    clock.now += 0.1
    assert claim(store, "b")


def test_whoever_leaves_gives_up_its_leases_at_once(store: Store) -> None:
    keep(store, a_job())
    join(store, "a", "b")
    assert claim(store, "a")
    with store.write() as tx:
        workers.leave(tx, "a")
    assert claim(store, "b")


def test_whoever_holds_the_database_alone_voids_every_lease(store: Store) -> None:
    keep(store, a_job("job_1"), a_job("job_2"))
    join(store, "a", "b")
    assert claim(store, "a", limit=1)
    assert claim(store, "b", limit=1)
    with store.write() as tx:
        workers.leave_all(tx)
    join(store, "c")
    assert len(claim(store, "c")) == 2


def test_a_released_job_takes_what_its_claim_was_for(store: Store) -> None:
    keep(store, a_job())
    join(store, "w")
    (job,) = claim(store, "w")
    with store.write() as tx:
        assert due_jobs.release_if_ours(tx, job, {"due_at": START + 20})
    after = read(store)
    assert (after.leased_by, after.lease_until, after.due_at) == (None, None, START + 20)


def test_a_late_worker_cannot_release_or_count_what_another_holds_now(store: Store, clock: Clock) -> None:
    keep(store, a_job())
    join(store, "a", "b")
    (old,) = claim(store, "a", lease=1)
    clock.now += 1
    (new,) = claim(store, "b")
    with store.write() as tx:
        assert not due_jobs.release_if_ours(tx, old, {"due_at": START + 999})
        due_jobs.note_looks(tx, [a_look(old)])
    after = read(store)
    assert after == new
    assert after.looks == 0


def a_look(job: Job) -> dict[str, object]:
    return {
        "id": job.id,
        "fence": job.fence,
        "leased_by": job.leased_by,
        "look_errors": 2,
        "look_error": "502",
        "poll_after": 7.0,
        "due_at": START + 7,
        "progress": 30,
    }


def test_looks_that_changed_nothing_are_counted_and_give_the_jobs_back(store: Store) -> None:
    keep(store, a_job("job_1"), a_job("job_2"))
    join(store, "w")
    claimed = claim(store, "w")
    with store.write() as tx:
        due_jobs.note_looks(tx, [a_look(job) for job in claimed])
        due_jobs.note_looks(tx, [])
    for job in claimed:
        expected = {"looks": 1, "look_errors": 2, "look_error": "502", "poll_after": 7.0}
        held = {"leased_by": None, "lease_until": None, "last_look_at": START}
        changes = {**expected, **held, "due_at": START + 7, "progress": 30}
        assert read(store, job.id) == replace(job, **changes)  # type: ignore[arg-type]


def test_looks_that_are_put_off_together_give_the_jobs_back(store: Store) -> None:
    keep(store, a_job("job_1"), a_job("job_2"))
    join(store, "w")
    first, second = claim(store, "w")
    with store.write() as tx:
        facts = {"id": first.id, "fence": first.fence, "leased_by": "w", "due_at": START + 315.0}
        due_jobs.put_off_looks(tx, [facts, facts | {"id": second.id, "fence": second.fence - 1}])
        due_jobs.put_off_looks(tx, [])
    later = replace(first, due_at=START + 315.0, leased_by=None, lease_until=None)
    assert read(store, first.id) == later
    assert read(store, second.id) == second, "by an old lease"


def test_a_create_is_abandoned_once_nobody_holds_it(store: Store, clock: Clock) -> None:
    keep(store, a_job(state=State.ACCEPTED), a_job("job_w", State.WAITING))
    join(store, "a")
    with store.write() as tx:
        (job,) = due_jobs.claim(tx, due_jobs.CREATES, worker="a", limit=1, lease=60)
        assert jobs.move_if_still(tx, job, {"state": State.CREATING})
        assert due_jobs.abandoned_creates(tx, limit=9) == []
    clock.now += WORKER_DEAD_AFTER
    with store.read() as tx:
        assert [one.id for one in due_jobs.abandoned_creates(tx, limit=9)] == ["job_1"]


def due_in(store: Store, clock: Clock, job_id: str) -> float:
    return (read(store, job_id).due_at or 0.0) - clock.now


def test_creates_are_put_off_together_and_stay_in_the_order_of_acceptance_however_often(
    store: Store, clock: Clock
) -> None:
    ages = {"job_day": 86_400.0 * 2, "job_hour": 3_600.0, "job_minute": 60.0, "job_new": 0.0}
    for job_id, age in ages.items():
        keep(store, a_job(job_id, State.ACCEPTED, accepted_at=START - age))
    for _ in range(3):
        with store.write() as tx:
            due_jobs.put_off_creates(tx, a_job(), until=tx.now + 15)
        waits = [due_in(store, clock, job_id) for job_id in ages]
        assert waits == sorted(set(waits))
        assert 15 - due_jobs.PUT_OFF_EARLY <= waits[0] < waits[-1] <= 15
        clock.now += 15


def test_only_due_creates_of_the_tenant_and_account_that_nobody_holds_are_put_off(
    store: Store, clock: Clock
) -> None:
    with store.write() as tx:
        tx.execute(text("INSERT INTO accounts (id, tenant_id, name) VALUES ('other', 'default', 'o')"))
        tx.execute(text("INSERT INTO tenants (id, name) VALUES ('second', 's')"))
    join(store, "w")
    left = [
        a_job("job_other", State.ACCEPTED, account_id="other"),
        a_job("job_second", State.ACCEPTED, tenant_id="second"),
        a_job("job_held", State.ACCEPTED, leased_by="w", lease_until=START + 60),
        a_job("job_later", State.ACCEPTED, due_at=START + 1),
        a_job("job_unwanted", State.ACCEPTED, cancel_requested_at=START),
        a_job("job_waiting"),
    ]
    keep(store, *left, a_job("job_free", State.ACCEPTED))
    keep(store, a_job("job_abandoned", State.ACCEPTED, leased_by="gone", lease_until=START + 60))
    with store.write() as tx:
        due_jobs.put_off_creates(tx, a_job(), until=tx.now + 15)
    assert [read(store, job.id) for job in left] == left
    assert [due_in(store, clock, name) for name in ("job_abandoned", "job_free")] == [15, 15]


# finding


def test_the_search_for_due_jobs_walks_the_index_of_due_times(store: Store) -> None:
    keep(store, *(a_job(f"job_{at}", State.COMPLETED, due_at=None) for at in range(50)), a_job("job_due"))
    asked: list[tuple[str, object]] = []

    def listen(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "jobs" in statement:
            asked.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", listen)
    join(store, "w")
    claim(store, "w")
    with store.read() as tx:
        due_jobs.moments(tx, due_jobs.LOOKS, until=START, limit=9)
    event.remove(store.engine, "before_cursor_execute", listen)
    assert len(asked) == 3
    for statement, parameters in asked:
        plan = plan_of(store, statement, parameters)
        assert "ix_jobs_looks_due" in plan, plan
        assert "SCAN jobs" not in plan, plan
        assert "Seq Scan on jobs" not in plan, plan


def plan_of(store: Store, statement: str, parameters: object) -> str:
    with store.write() as tx:
        explain = "EXPLAIN QUERY PLAN"
        if store.engine.dialect.name == "postgresql":
            explain = "EXPLAIN"
            tx.execute(text("ANALYZE jobs"))
            tx.execute(text("SET LOCAL enable_seqscan TO off"))  # which it prefers while the table is small
        cursor = tx.connection.connection.cursor()
        cursor.execute(f"{explain} {statement}", parameters)  # type: ignore[arg-type]
        plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
        cursor.close()
    return plan


def test_a_job_is_found_by_the_session_of_any_of_its_attempts_within_its_account(store: Store) -> None:
    keep(store, a_job("job_1"))
    with store.write() as tx:
        tx.execute(text("INSERT INTO accounts (id, tenant_id, name) VALUES ('other', 'default', 'o')"))
    with store.read() as tx:
        for session in ("job_1.0", "job_1.1", "job_1.7"):
            found = jobs.by_session(tx, "default", session)
            assert found is not None
        for session in ("job_2.1", "job_1", "", ".", "job_1.1.1"):
            assert jobs.by_session(tx, "default", session) is None
        assert jobs.by_session(tx, "other", "job_1.1") is None


def test_the_gateways_id_belongs_to_one_job_of_an_account(store: Store) -> None:
    keep(store, a_job("job_1", gateway_id="G-1"), a_job("job_2"))
    with store.read() as tx:
        found = jobs.by_gateway_id(tx, "default", "G-1")
        assert found is not None
        assert jobs.by_gateway_id(tx, "default", "G-2") is None
        assert jobs.known_gateway_ids(tx, "default", ["G-1", "G-2"]) == {"G-1"}
        assert jobs.known_gateway_ids(tx, "default", []) == set()
        assert jobs.known_gateway_ids(tx, "other", ["G-1"]) == set()
    with pytest.raises(StoreError), store.write() as tx:
        jobs.note(tx, "job_2", {"gateway_id": "G-1"})


def test_a_job_is_found_by_its_reference_within_its_tenant_newest_first(store: Store) -> None:
    keep(store, *(a_job(f"job_{at}", reference="r", accepted_at=START + at) for at in range(3)))
    with store.read() as tx:
        assert [job.id for job in job_lists.matching(tx, "default", "r", limit=9)] == [
            "job_2",
            "job_1",
            "job_0",
        ]
        assert job_lists.matching(tx, "other", "r", limit=9) == []
        assert [job.id for job in job_lists.recent(tx, limit=1)] == ["job_2"]
        assert job_lists.recent(tx, limit=9, states=[State.FAILED]) == []
