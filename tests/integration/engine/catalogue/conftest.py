"""What the tests of the catalogue share: a database, a clock, and destinations that note what they get."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.vault import Vault, new_key
from orchestrator.engine.building import Builder
from orchestrator.engine.catalogue import Added, Catalogue, Destination
from orchestrator.engine.destination_settings import DestinationSettings, purpose
from orchestrator.engine.secret_sources import SecretSources
from orchestrator.sinks import Parcel, Tools
from orchestrator.sinks.folder import FolderSink
from orchestrator.store import configured
from orchestrator.store.database import Store
from tests import kinds as for_tests
from tests.kinds import Noted
from tests.migrated import put_migrated

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
