"""All destinations as one: of the file, of the database, and the folder; broken ones harm nobody else."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.routes import Outcome, Route
from orchestrator.core.vault import Vault, new_key
from orchestrator.engine.building import Builder
from orchestrator.engine.catalogue import Added, Catalogue, Destination
from orchestrator.engine.destination_settings import DestinationSettings, purpose
from orchestrator.engine.secret_sources import SecretSources
from orchestrator.errors import LATER, DestinationError, SettingError, StoreError
from orchestrator.sinks import Parcel, Tools
from orchestrator.sinks.folder import FolderSink
from orchestrator.store import configured
from orchestrator.store.database import Store
from tests import kinds as for_tests
from tests.kinds import Noted
from tests.migrated import put_migrated
from tests.patience import LONG

NOTICED_WITHIN = 2.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Database:
    """Destinations in a database, as commands leave them."""

    def __init__(self, folder: Path) -> None:
        database = folder / "orchestrator.db"
        put_migrated(database)
        self.store = Store(f"sqlite:///{database}")
        self.vault = Vault([new_key()])

    def add(self, name: str, kind: str = "noted", token: str | None = None, **more: Any) -> None:
        said = {"options": {"label": name}, "deliver": "link", **more}
        with self.store.write() as tx:
            assert configured.add_once(tx, name, kind, said, self.sealed(name, token))

    def change(self, name: str, token: str | None = None, **more: Any) -> None:
        said = {"options": {"label": "changed"}, "deliver": "link", **more}
        with self.store.write() as tx:
            assert configured.replace(tx, name, "noted", said, self.sealed(name, token))

    def remove(self, name: str) -> None:
        with self.store.write() as tx:
            assert configured.remove(tx, name)

    def sealed(self, name: str, token: str | None) -> str | None:
        return self.vault.seal(purpose(name), json.dumps({"token": token})) if token else None


@pytest.fixture(autouse=True)
def built(monkeypatch: pytest.MonkeyPatch) -> list[Noted]:
    """The sinks that were really made, in order."""
    for_tests.install(monkeypatch)
    made: list[Noted] = []
    build = Noted.build.__func__  # type: ignore[attr-defined]

    def noting(cls: type[Noted], options: Any, tools: Tools) -> Noted:
        made.append(build(cls, options, tools))
        return made[-1]

    monkeypatch.setattr(Noted, "build", classmethod(noting))
    return made


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def builder(vault: Vault, environment: dict[str, str] | None = None) -> Builder:
    tools = Tools(lambda _: None, float)  # type: ignore[arg-type]
    return Builder(SecretSources(vault, environment or {}), tools)


@pytest.fixture
def open_catalogue(database: Database, clock: Clock, tmp_path: Path) -> Callable[..., Catalogue]:
    def open_it(*said: DestinationSettings, environment: dict[str, str] | None = None) -> Catalogue:
        make = builder(database.vault, environment)
        return Catalogue(
            map(make.destination, said),
            builtin=Destination("folder", FolderSink(tmp_path / "out")),
            added=Added(database.store, make.added, clock),
        )

    return open_it


def in_file(name: str, **more: Any) -> DestinationSettings:
    return DestinationSettings(
        **{"name": name, "type": "noted", "options": {"label": name}, "deliver": "link"} | more
    )


def deliver(destination: Destination, name: str = "a") -> None:
    staging = destination.sink.stage(Parcel(name), 1)
    staging.write(b"x")
    staging.publish()


def test_with_nothing_said_there_is_the_folder(
    open_catalogue: Callable[..., Catalogue], tmp_path: Path
) -> None:
    catalogue = open_catalogue()
    assert list(catalogue) == ["folder"]
    assert catalogue.defaults() == (Route("folder"),)
    deliver(catalogue["folder"])
    assert (tmp_path / "out" / "a").read_bytes() == b"x"


def test_the_folder_stays_beside_others_and_takes_what_names_it(
    open_catalogue: Callable[..., Catalogue], database: Database
) -> None:
    database.add("added")
    catalogue = open_catalogue(in_file("given", outcomes=("failed",)))
    assert set(catalogue) == {"folder", "given", "added"}
    assert set(catalogue.defaults()) == {Route("given", (Outcome.FAILED,), True), Route("added", link=True)}
    assert catalogue["folder"].route == Route("folder")


def test_another_one_may_have_the_folder_s_name(
    open_catalogue: Callable[..., Catalogue], database: Database
) -> None:
    database.add("folder")
    catalogue = open_catalogue()
    assert len(catalogue) == 1
    assert catalogue.defaults() == (Route("folder", link=True),)


def test_what_is_said_of_a_destination_is_what_it_is(
    open_catalogue: Callable[..., Catalogue], database: Database
) -> None:
    more: dict[str, Any] = {"outcomes": ["completed", "failed"], "default": False, "at_once": 2}
    database.add("added", **more)
    catalogue = open_catalogue(in_file("given", **more))
    for name in ("given", "added"):
        one = catalogue[name]
        assert one.outcomes == (Outcome.COMPLETED, Outcome.FAILED)
        assert (one.link, one.default, one.at_once, one.sink.takes_files) == (True, False, 2, False)
    assert catalogue.defaults() == ()


def test_plain_sinks_make_a_catalogue(tmp_path: Path) -> None:
    folder, noted = FolderSink(tmp_path), Noted(Noted.Options(label="x"))
    catalogue = Catalogue.of({"a": folder, "b": noted})
    assert [one.sink for one in catalogue.values()] == [folder, noted]
    assert catalogue.defaults() == (Route("a"), Route("b", link=True))
    assert "c" not in catalogue
    catalogue.close()
    assert noted.closed == 1


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


def test_the_secrets_of_both_sources_reach_the_sink(
    open_catalogue: Callable[..., Catalogue], database: Database, built: list[Noted]
) -> None:
    database.add("added", token="of the database")
    catalogue = open_catalogue(
        in_file("given", secrets={"token": {"env": "TOKEN"}}), environment={"TOKEN": "of the file"}
    )
    for name in ("added", "given"):
        catalogue[name].sink.check()
    tokens = [one.options.token for one in built]
    assert [one and one.get_secret_value() for one in tokens] == ["of the database", "of the file"]


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
    with pytest.raises(DestinationError, match="there is no key to encrypt secrets with"):
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


def test_one_that_is_limited_to_tenants_is_there_for_no_other(
    open_catalogue: Callable[..., Catalogue], database: Database
) -> None:
    database.add("added", tenants=["acme"])
    catalogue = open_catalogue(in_file("given", tenants=("acme", "other")), in_file("open"))
    assert set(catalogue.of_tenant("acme")) == {"folder", "given", "added", "open"}
    assert set(catalogue.of_tenant("other")) == {"folder", "given", "open"}
    assert set(catalogue.of_tenant("default")) == {"folder", "open"}
    defaults = {
        tenant: {route.destination for route in catalogue.defaults(tenant)} for tenant in ("acme", "default")
    }
    assert defaults == {"acme": {"given", "added", "open"}, "default": {"open"}}
    assert set(catalogue) == {"folder", "given", "added", "open"}  # what is owed is handed off all the same


def test_a_tenant_that_no_other_destination_is_for_has_the_folder_by_default(
    open_catalogue: Callable[..., Catalogue],
) -> None:
    catalogue = open_catalogue(in_file("given", tenants=("acme",)))
    assert [route.destination for route in catalogue.defaults("other")] == ["folder"]
    assert [route.destination for route in catalogue.defaults("acme")] == ["given"]


def test_a_limited_one_of_the_folders_name_is_not_replaced_by_it_for_others(
    open_catalogue: Callable[..., Catalogue],
) -> None:
    catalogue = open_catalogue(in_file("folder", tenants=("acme",)))
    assert catalogue.of_tenant("acme")["folder"].link
    assert catalogue.of_tenant("other") == {}
    assert catalogue.defaults("other") == ()
