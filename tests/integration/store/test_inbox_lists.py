"""Pages of the inbox: each filter, nothing twice and nothing left out, and an end to the looking through."""

from typing import Any

import pytest

from orchestrator.store import inbox, inbox_lists
from orchestrator.store.database import Store
from orchestrator.store.inbox import EntryState
from orchestrator.store.inbox_lists import Filed, Page, Place
from tests.integration.store.rows import START, Clock, remember
from tests.integration.store.test_inbox import other_account, reject


def page(store: Store, which: Filed, *, limit: int = 50, before: Place | None = None) -> Page:
    with store.read() as tx:
        return inbox_lists.page(tx, which, limit=limit, before=before)


def ids(store: Store, **which: Any) -> list[int]:
    return [one.id for one in page(store, Filed(**which)).lines]


def every(store: Store, which: Filed, limit: int) -> list[int]:
    """The ids of all pages."""
    found: list[int] = []
    before: Place | None = None
    while True:
        part = page(store, which, limit=limit, before=before)
        found += [one.id for one in part.lines]
        before = part.after
        if before is None:
            return found


def test_the_latest_receipt_stands_first_and_each_filter_leaves_what_it_names(
    store: Store, clock: Clock
) -> None:
    other_account(store)
    first, _ = remember(store, "a", state=EntryState.APPLIED, job_id="job_1")
    clock.now += 10
    second, _ = remember(store, "b", gateway_id="G-2", type="batch.completed", state=EntryState.IGNORED)
    clock.now += 10
    third, _ = remember(store, "c", gateway_id="G-3", account_id="other")
    clock.now += 10
    remember(store, "a", state=EntryState.APPLIED, job_id="job_1")  # again
    assert ids(store) == [first, third, second]
    assert ids(store, state=EntryState.WAITING) == [third]
    assert ids(store, state=EntryState.IGNORED) == [second]
    assert ids(store, type="video.completed") == [first, third]
    assert ids(store, gateway_id="G-3") == [third]
    assert ids(store, since=START + 20) == [first, third]
    assert ids(store, until=START + 30) == [third, second]
    assert ids(store, since=START + 20, until=START + 30, type="video.completed") == [third]
    assert ids(store, gateway_id="G-9") == []


@pytest.mark.parametrize("which", [Filed(), Filed(type="video.completed"), Filed(state=EntryState.WAITING)])
def test_pages_have_each_entry_once_also_of_one_moment(store: Store, clock: Clock, which: Filed) -> None:
    made = []
    for number in range(12):
        clock.now += number % 3 == 0
        made.append(remember(store, f"evt_{number}")[0])
    assert every(store, which, limit=5) == sorted(made, reverse=True)


def test_a_page_ends_after_so_many_that_do_not_match_and_the_next_goes_on(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_lists, "WINDOW", 4)
    rare, _ = remember(store, "rare", type="video.failed")
    for number in range(9):
        clock.now += 1
        remember(store, f"evt_{number}")
    first = page(store, Filed(type="video.failed"))
    assert (first.lines, first.looked_through) == ([], True)
    assert every(store, Filed(type="video.failed"), limit=5) == [rare]


def test_those_that_were_not_believed_are_a_list_of_their_own(store: Store, clock: Clock) -> None:
    reject(store, 1, 2, keep=9)
    clock.now += 10
    reject(store, 3, keep=9)
    with store.read() as tx:
        found = inbox_lists.refused(tx, limit=2)
        assert [one.received_at for one in found] == [START + 10, START]
        assert len(inbox_lists.refused(tx, limit=9, before=found[1].id)) == 1
        assert len(inbox_lists.refused(tx, limit=9, until=START + 5)) == 2
        assert inbox_lists.refused(tx, limit=9, since=START + 5) == found[:1]
        assert inbox_lists.refused(tx, limit=9, reason="stale") == []


def test_an_event_is_found_by_its_key(store: Store) -> None:
    entry, _ = remember(store, "evt_1")
    with store.read() as tx:
        assert inbox.by_event(tx, "default", "evt_1") == entry
        assert inbox.by_event(tx, "default", "evt_2") is None
