"""The inbox remembers every believed delivery once; the ring of those not believed is bounded."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import text

from orchestrator.store import inbox
from orchestrator.store.database import Store
from orchestrator.store.inbox import EntryState
from tests.integration.store.rows import START, Clock, entry, remember


def a_rejection(number: int, account: str = "default") -> dict[str, Any]:
    return {
        "account_id": account,
        "reason": "forged",
        "detail": "d",
        "headers": {},
        "body": str(number).encode(),
        "truncated": False,
    }


def reject(store: Store, *numbers: int, keep: int, account: str = "default") -> None:
    for number in numbers:
        with store.write() as tx:
            inbox.reject(tx, a_rejection(number, account), keep=keep)


def ring(store: Store) -> list[tuple[str, int]]:
    with store.read() as tx:
        return [(one.account_id, int(one.body)) for one in inbox.recent_rejections(tx, limit=100)]


def other_account(store: Store) -> None:
    with store.write() as tx:
        tx.execute(text("INSERT INTO accounts (id, tenant_id, name) VALUES ('other', 'default', 'o')"))


def test_an_event_is_remembered_once_with_its_latest_body(store: Store, clock: Clock) -> None:
    first_id, first = remember(store, body=b"old", headers={"x-phaseo-attempt": "1"})
    clock.now += 60
    again_id, again = remember(store, body=b"new", headers={"x-phaseo-attempt": "2"})
    assert (first, again) == (True, False)
    assert first_id == again_id
    kept = entry(store, first_id)
    assert (kept.deliveries, kept.body, kept.headers) == (2, b"new", {"x-phaseo-attempt": "2"})
    assert (kept.received_at, kept.last_received_at) == (START, START + 60)


def test_a_repeated_event_finds_the_job_that_its_first_delivery_came_too_early_for(store: Store) -> None:
    entry_id, _ = remember(store)
    assert entry(store, entry_id).state is EntryState.WAITING
    remember(store, state=EntryState.APPLIED, job_id="job_1")
    assert (entry(store, entry_id).state, entry(store, entry_id).job_id) == (EntryState.APPLIED, "job_1")


def test_of_many_that_deliver_at_once_one_is_first(store: Store) -> None:
    with ThreadPoolExecutor(4) as threads:
        firsts = list(threads.map(lambda _: remember(store)[1], range(40)))
    assert sum(firsts) == 1


def test_two_accounts_may_have_an_event_of_the_same_name(store: Store) -> None:
    other_account(store)
    assert remember(store)[1]
    assert remember(store, account_id="other")[1]


def test_what_came_early_is_found_by_the_gateways_id_or_by_session_until_it_is_applied(store: Store) -> None:
    other_account(store)
    by_id, _ = remember(store, "evt_1", gateway_id="G-1")
    by_session, _ = remember(store, "evt_2", gateway_id="G-x", session_id="job_1.1")
    remember(store, "evt_3", gateway_id="G-2", session_id="job_2.1")
    of_other, _ = remember(store, "evt_4", gateway_id="G-1", account_id="other")
    applied, _ = remember(store, "evt_5", gateway_id="G-1")
    with store.write() as tx:
        inbox.settle(tx, applied, EntryState.APPLIED, "job_1")
        known = [("default", "G-1", "job_1.1"), ("default", "G-3", "job_3.1"), ("other", "G-1", "job_4.1")]
        found = [[one.id for one in its] for its in inbox.waiting_for(tx, known)]
    assert found == [[by_id, by_session], [], [of_other]]


def test_the_ring_keeps_the_latest_of_each_account(store: Store) -> None:
    other_account(store)
    reject(store, 100, 101, keep=2, account="other")
    reject(store, *range(7), keep=3)
    assert ring(store) == [("default", 6), ("default", 5), ("default", 4), ("other", 101), ("other", 100)]


def test_a_ring_made_smaller_shrinks_with_the_next_one(store: Store) -> None:
    reject(store, *range(5), keep=10)
    reject(store, 5, keep=1)
    assert ring(store) == [("default", 5)]


def test_numbers_of_the_ring_are_never_given_twice(store: Store) -> None:
    reject(store, 1, keep=5)
    with store.write() as tx:
        (only,) = inbox.recent_rejections(tx, limit=9)
        inbox.drop_rejection(tx, only.id)
    reject(store, 2, keep=5)
    with store.read() as tx:
        assert inbox.recent_rejections(tx, limit=9)[0].id > only.id
        assert inbox.get_rejection(tx, only.id) is None


def test_old_entries_and_rejections_are_forgotten_and_fresh_ones_are_not(store: Store, clock: Clock) -> None:
    remember(store, "evt_old")
    remember(store, "evt_repeated")
    reject(store, 1, keep=9)
    clock.now += 100
    remember(store, "evt_repeated")
    remember(store, "evt_new")
    reject(store, 2, keep=9)
    with store.write() as tx:
        assert inbox.prune(tx, before=START + 50) == 1
        assert inbox.prune_rejections(tx, before=START + 50) == 1
        assert {one.event_key for one in inbox.recent(tx, limit=9)} == {"evt_repeated", "evt_new"}
    assert ring(store) == [("default", 2)]


def test_bodies_are_kept_to_the_byte(store: Store) -> None:
    body = bytes(range(256)) * 5
    entry_id, _ = remember(store, body=body)
    assert entry(store, entry_id).body == body
