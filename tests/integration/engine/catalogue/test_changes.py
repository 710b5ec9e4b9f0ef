"""Destinations that are added, changed or removed while the catalogue is in use."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orchestrator.engine.catalogue import Catalogue
from orchestrator.errors import DestinationError
from orchestrator.sinks import Parcel
from orchestrator.store import configured
from tests.integration.engine.catalogue.conftest import NOTICED_WITHIN, Clock, Database, deliver
from tests.kinds import Noted
from tests.patience import LONG


def test_one_that_is_added_changed_or_removed_is_noticed_within_two_seconds(
    open_catalogue: Callable[..., Catalogue], database: Database, clock: Clock
) -> None:
    catalogue = open_catalogue()
    assert set(catalogue) == {"folder"}
    database.add("added")
    clock.now += NOTICED_WITHIN
    assert set(catalogue) == {"folder", "added"}
    assert [route.destination for route in catalogue.defaults()] == ["added"]
    database.change("added", at_once=7)
    clock.now += NOTICED_WITHIN
    assert catalogue["added"].at_once == 7
    database.remove("added")
    clock.now += NOTICED_WITHIN
    assert set(catalogue) == {"folder"}
    assert [route.destination for route in catalogue.defaults()] == ["folder"]


def test_the_database_is_not_asked_for_every_use(
    open_catalogue: Callable[..., Catalogue], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    every = configured.every

    def counted(tx: Any) -> Any:
        asked.append(tx)
        return every(tx)

    monkeypatch.setattr(configured, "every", counted)
    catalogue = open_catalogue()
    for _ in range(100):
        assert len(catalogue) == 1
    assert len(asked) == 1


def test_those_that_did_not_change_keep_their_sink_and_the_others_are_closed(
    open_catalogue: Callable[..., Catalogue], database: Database, clock: Clock, built: list[Noted]
) -> None:
    for name in ("stays", "changes", "goes"):
        database.add(name)
    catalogue = open_catalogue()
    before = {name: catalogue[name].sink for name in catalogue}
    for name in ("stays", "changes", "goes"):
        deliver(catalogue[name])
    database.change("changes")
    database.remove("goes")
    database.add("comes")
    clock.now += NOTICED_WITHIN
    assert catalogue["stays"].sink is before["stays"]
    assert catalogue["changes"].sink is not before["changes"]
    assert [one.closed for one in built] == [0, 1, 1]
    with pytest.raises(DestinationError, match="was changed, removed or closed"):
        before["changes"].check()
    catalogue.close()
    assert [one.closed for one in built] == [1, 1, 1]


def test_what_is_under_way_when_a_destination_changes_ends_there(
    open_catalogue: Callable[..., Catalogue], database: Database, clock: Clock, built: list[Noted]
) -> None:
    database.add("changes")
    catalogue = open_catalogue()
    staging = catalogue["changes"].sink.stage(Parcel("a"), 1)
    database.change("changes")
    clock.now += NOTICED_WITHIN
    deliver(catalogue["changes"], "b")
    staging.write(b"begun before")
    staging.publish()
    assert [(set(one.there), one.closed) for one in built] == [({"a"}, 1), ({"b"}, 0)]


def test_secrets_that_were_encrypted_anew_are_no_change(
    open_catalogue: Callable[..., Catalogue], database: Database, clock: Clock
) -> None:
    database.add("told", token="hunter2")
    catalogue = open_catalogue()
    sink = catalogue["told"].sink
    with database.store.write() as tx:
        entry = configured.get(tx, "told")
        assert entry is not None
        assert configured.reseal_if_still(tx, entry, database.sealed("told", "hunter2") or "")
    clock.now += NOTICED_WITHIN
    assert catalogue["told"].sink is sink
    sink.check()


def test_whoever_comes_while_it_is_read_has_what_was_read_before(
    open_catalogue: Callable[..., Catalogue],
    database: Database,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    catalogue = open_catalogue()
    assert set(catalogue) == {"folder"}
    database.add("added")
    reading, go_on, every = threading.Event(), threading.Event(), configured.every

    def slowly(tx: Any) -> Any:
        reading.set()
        assert go_on.wait(LONG)
        return every(tx)

    monkeypatch.setattr(configured, "every", slowly)
    clock.now += NOTICED_WITHIN
    found: list[set[str]] = []
    reader = threading.Thread(target=lambda: found.append(set(catalogue)))
    reader.start()
    assert reading.wait(LONG)
    assert set(catalogue) == {"folder"}
    go_on.set()
    reader.join(LONG)
    assert found == [{"folder", "added"}]


def test_threads_that_use_it_while_it_changes_see_one_state_or_the_other(
    open_catalogue: Callable[..., Catalogue], database: Database, clock: Clock
) -> None:
    catalogue = open_catalogue()
    states: set[frozenset[str]] = set()

    def look(_: int) -> None:
        clock.now += NOTICED_WITHIN
        names = frozenset(catalogue)
        states.add(names)

    with ThreadPoolExecutor(4) as threads:
        looking = [threads.submit(look, number) for number in range(200)]
        database.add("added")
        for one in looking:
            one.result(LONG)
    look(0)
    assert states <= {frozenset({"folder"}), frozenset({"folder", "added"})}
    assert "added" in catalogue
