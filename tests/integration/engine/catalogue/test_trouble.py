"""Destinations that cannot be used, and a database that is away."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.core.routes import Route
from orchestrator.core.vault import Vault
from orchestrator.engine.catalogue import Catalogue
from orchestrator.errors import LATER, DestinationError, SettingError, StoreError
from orchestrator.store import configured
from tests.integration.engine.catalogue.conftest import NOTICED_WITHIN, Clock, Database, deliver, in_file


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"secrets": {"token": {"env": "UNSET"}}}, "token: the environment variable UNSET is not set"),
        ({"secrets": {"token": {"file": "/nowhere/at-all"}}}, "the file /nowhere/at-all cannot be read"),
        ({"secrets": {"token": "fernet:gAAAAABhunter2"}}, "cannot be read with any of the keys"),
        ({"options": {"label": "unbuildable"}}, "destination broken: it cannot be built"),
        ({"options": {"label": "hunter2 7"}}, "destination broken: label: '********' has a space"),
        ({"options": {}}, "destination broken: label: is missing"),
        ({"type": "gone"}, "there is no kind 'gone' of destination"),
    ],
)
def test_one_that_is_broken_fails_what_goes_there_and_nothing_else(
    open_catalogue: Callable[..., Catalogue], broken: dict[str, Any], why: str
) -> None:
    catalogue = open_catalogue(in_file("broken", **broken), in_file("whole"))
    assert Route("broken", link=True) in catalogue.defaults()
    for use in (catalogue["broken"].sink.check, lambda: deliver(catalogue["broken"])):
        with pytest.raises(DestinationError) as failed:
            use()
        assert why in failed.value.message
        assert failed.value.hint
        assert failed.value.retry == LATER
        assert "hunter2" not in f"{failed.value} {failed.value.hint} {failed.value.__cause__}"
    deliver(catalogue["whole"])


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"kind": "gone"}, "there is no kind 'gone'"),
        ({"at_once": 0}, "something else than expected of it: at_once"),
        ({"of_a_later_version": 1}, "something else than expected of it: of_a_later_version"),
    ],
)
def test_so_does_one_of_the_database_that_this_version_cannot_use(
    open_catalogue: Callable[..., Catalogue], database: Database, said: dict[str, Any], why: str
) -> None:
    database.add("broken", **said)
    database.add("whole")
    catalogue = open_catalogue()
    with pytest.raises(DestinationError, match=why) as failed:
        catalogue["broken"].sink.check()
    assert failed.value.retry == LATER
    deliver(catalogue["whole"])


def test_without_the_key_what_is_sealed_waits(
    open_catalogue: Callable[..., Catalogue], database: Database
) -> None:
    database.add("told", token="hunter2")
    database.vault = Vault([])
    with pytest.raises(DestinationError, match="there is no key to read it with"):
        open_catalogue()["told"].sink.check()


def test_a_token_of_another_destination_opens_nothing(
    open_catalogue: Callable[..., Catalogue], database: Database
) -> None:
    database.add("one", token="hunter2")
    with database.store.write() as tx:
        entry = configured.get(tx, "one")
        assert entry is not None
        assert configured.add_once(tx, "other", entry.kind, entry.settings, entry.secrets)
    with pytest.raises(DestinationError, match="was made for another place"):
        open_catalogue()["other"].sink.check()


def test_a_name_in_both_is_refused_and_named_when_it_is_first_used(
    open_catalogue: Callable[..., Catalogue], database: Database
) -> None:
    for name in ("both", "too", "apart"):
        database.add(name)
    catalogue = open_catalogue(in_file("both"), in_file("too"), in_file("alone"))
    for _ in range(2):
        with pytest.raises(SettingError, match="both have a destination both, too") as refused:
            catalogue.defaults()
    assert "orchestrator destinations remove" in refused.value.hint


def test_a_name_that_comes_to_be_in_both_later_stays_the_one_of_the_file(
    open_catalogue: Callable[..., Catalogue], database: Database, clock: Clock
) -> None:
    catalogue = open_catalogue(in_file("both"))
    sink = catalogue["both"].sink
    database.add("both")
    clock.now += NOTICED_WITHIN
    assert catalogue["both"].sink is sink


def test_a_database_that_goes_away_leaves_those_that_are_known(
    open_catalogue: Callable[..., Catalogue],
    database: Database,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    database.add("added")
    catalogue = open_catalogue()
    assert set(catalogue) == {"folder", "added"}

    def away(tx: object) -> None:
        raise StoreError("the database could not be used", hint="start it")

    with monkeypatch.context() as broken:
        broken.setattr(configured, "every", away)
        clock.now += NOTICED_WITHIN
        for _ in range(3):
            assert set(catalogue) == {"folder", "added"}
        assert [record.message for record in caplog.records] == ["store_failed"]
        with pytest.raises(StoreError):
            open_catalogue().defaults()
    database.add("later")
    clock.now += NOTICED_WITHIN
    assert "later" in catalogue
