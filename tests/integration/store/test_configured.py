"""Destinations that were added by command: kept once, changed and removed by name, owed to."""

from collections.abc import Iterator

import pytest

from orchestrator.core.job import HandOffState
from orchestrator.store import configured
from orchestrator.store.configured import Entry
from orchestrator.store.database import Store
from orchestrator.store.schema import hand_offs, lanes
from tests.integration.store.rows import START, Clock, a_job, keep
from tests.integration.store.together import Elsewhere, ended

SAID = {"deliver": "link", "options": {"url": "https://h", "n": [1, 2.5, None]}, "secrets": ["token"]}


@pytest.fixture
def elsewhere(store: Store) -> Iterator[Elsewhere]:
    there = Elsewhere(store)
    yield there
    there.close()


def add(store: Store, name: str = "hook", secrets: str | None = "fernet:a") -> bool:
    with store.write() as tx:
        return configured.add_once(tx, name, "webhook", SAID, secrets)


def replace(store: Store, name: str = "hook", kind: str = "webhook") -> bool:
    with store.write() as tx:
        return configured.replace(tx, name, kind, SAID, "fernet:b")


def entry(store: Store, name: str = "hook") -> Entry:
    with store.read() as tx:
        found = configured.get(tx, name)
    assert found is not None
    return found


def owe(store: Store, key: str, destination: str, state: HandOffState, due_at: float | None) -> None:
    with store.write() as tx:
        lane = {"id": f"default/{destination}", "tenant_id": "default", "destination": destination}
        tx.execute(tx.insert(lanes).values(**lane).on_conflict_do_nothing())
        facts = {"key": key, "tenant_id": "default", "job_id": "job_1", "kind": "outcome", "lane": lane["id"]}
        counts = {"attempts": 0, "created_at": START, "fence": 0, "generation": 0}
        row = {**facts, **counts, "destination": destination, "state": state, "due_at": due_at}
        tx.execute(tx.insert(hand_offs).values(**row))


def test_what_is_kept_is_read_as_it_was_given(store: Store) -> None:
    assert add(store)
    assert entry(store) == Entry("hook", "webhook", SAID, "fernet:a", START)
    with store.read() as tx:
        assert configured.get(tx, "other") is None


def test_a_name_is_kept_once_and_the_first_one_stays(store: Store, clock: Clock) -> None:
    assert add(store)
    clock.now += 1
    assert not add(store, secrets=None)
    assert (entry(store).secrets, entry(store).changed_at) == ("fernet:a", START)


def test_all_are_read_by_name(store: Store) -> None:
    for name in ("b", "a-1", "c"):
        add(store, name, None)
    with store.read() as tx:
        assert [(one.name, one.secrets) for one in configured.every(tx)] == [
            ("a-1", None),
            ("b", None),
            ("c", None),
        ]


def test_a_change_shows_even_in_the_same_moment_and_when_the_clock_was_set_back(
    store: Store, clock: Clock
) -> None:
    assert not replace(store)
    add(store)
    times = [entry(store).changed_at]
    for step in (0.0, -60.0, 3600.0):
        clock.now += step
        assert replace(store, kind="folder")
        times.append(entry(store).changed_at)
    assert times == sorted(set(times))
    assert times[-1] == clock.now
    assert (entry(store).kind, entry(store).secrets) == ("folder", "fernet:b")


def test_what_is_removed_is_gone_and_can_be_added_again(store: Store) -> None:
    add(store)
    with store.write() as tx:
        assert configured.remove(tx, "hook")
        assert not configured.remove(tx, "hook")
    assert add(store)


def test_a_token_is_replaced_only_while_it_is_the_one_that_was_read_and_that_is_no_change(
    store: Store,
) -> None:
    add(store)
    read = entry(store)
    with store.write() as tx:
        assert configured.reseal_if_still(tx, read, "fernet:anew")
        assert not configured.reseal_if_still(tx, read, "fernet:late")
    assert (entry(store).secrets, entry(store).changed_at) == ("fernet:anew", read.changed_at)


def test_what_is_owed_there_is_counted_be_it_due_or_not(store: Store) -> None:
    keep(store, a_job())
    owe(store, "k1", "hook", HandOffState.OWED, START)
    owe(store, "k2", "hook", HandOffState.OWED, None)
    owe(store, "k3", "hook", HandOffState.DONE, None)
    owe(store, "k4", "other", HandOffState.OWED, START)
    with store.read() as tx:
        assert (configured.owed(tx, "hook"), configured.owed(tx, "other"), configured.owed(tx, "x")) == (
            2,
            1,
            0,
        )


def test_a_token_is_not_printed_with_its_entry(store: Store) -> None:
    add(store)
    assert "fernet:a" not in f"{entry(store)!r}"


@pytest.mark.parametrize("kind", ["postgresql"])
def test_of_two_that_add_one_name_at_once_one_does(store: Store, elsewhere: Elsewhere) -> None:
    with store.write() as tx:
        assert configured.add_once(tx, "hook", "webhook", SAID, "fernet:first")
        second = elsewhere.begin_and_wait_for_us(lambda: add(store))
    assert ended(second) is False
    assert entry(store).secrets == "fernet:first"
