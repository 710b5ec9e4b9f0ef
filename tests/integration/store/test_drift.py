"""What the gateway says beyond its contract: a row for each word, and never too many."""

from orchestrator.core.drift import OTHERS, Drift, DriftKind, Place
from orchestrator.store import drift
from orchestrator.store.database import Store
from orchestrator.store.drift import MOST, Folded, Known
from tests.integration.store.rows import START, Clock

STATUS = Drift(DriftKind.STATUS, Place.LOOK, "rendering")
FIELD = Drift(DriftKind.FIELD, Place.WEBHOOK, "data.codec")


def add(
    store: Store, *seen: Drift, times: int = 1, sample: str | None = None, request: str | None = None
) -> list[Drift]:
    with store.write() as tx:
        return drift.add(tx, {one: Folded(times, sample, request) for one in seen})


def every(store: Store, since: float = 0.0) -> list[Known]:
    with store.read() as tx:
        return drift.every(tx, since=since)


def test_what_is_new_is_told_once_and_then_counted(store: Store, clock: Clock) -> None:
    assert add(store, STATUS, sample="a", request="G-1") == [STATUS]
    clock.now += 60
    assert add(store, STATUS, FIELD, times=4) == [FIELD]
    assert every(store) == [
        Known(DriftKind.FIELD, Place.WEBHOOK, "data.codec", 4, START + 60, START + 60, None, None),
        Known(DriftKind.STATUS, Place.LOOK, "rendering", 5, START, START + 60, "a", "G-1"),
    ]
    assert add(store) == []


def test_the_latest_are_first_and_can_be_asked_for_alone(store: Store, clock: Clock) -> None:
    add(store, STATUS)
    clock.now += 60
    add(store, FIELD)
    assert [one.name for one in every(store)] == ["data.codec", "rendering"]
    assert [one.name for one in every(store, since=START + 1)] == ["data.codec"]


def test_what_was_forgotten_is_news_again(store: Store, clock: Clock) -> None:
    add(store, STATUS, FIELD)
    with store.write() as tx:
        assert drift.forget(tx, name="rendering") == 1
        assert drift.forget(tx, name="rendering") == 0
    assert add(store, STATUS, FIELD) == [STATUS]
    with store.write() as tx:
        assert drift.forget(tx) == 2
    add(store, STATUS)
    clock.now += 10
    with store.write() as tx:
        assert drift.prune(tx, before=clock.now) == 1
    assert every(store) == []


def test_however_many_names_come_the_table_stays_small(store: Store) -> None:
    def named(first: int, last: int) -> list[Drift]:
        return [Drift(DriftKind.FIELD, Place.LOOK, f"f{number:05}") for number in range(first, last)]

    add(store, *named(0, MOST - 5))
    add(store, *named(MOST - 20, MOST + 95))
    add(store, *named(10_000, 10_050))
    found = {one.name: one.times for one in every(store)}
    assert len(found) == MOST + 1
    assert found[OTHERS] == 95 + 50
    assert sum(found.values()) == MOST - 5 + 115 + 50
