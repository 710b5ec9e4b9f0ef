"""A fresh database for every test, on each kind of database that the store runs on."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator import fault_points
from orchestrator.store.database import Store
from tests.integration.store.rows import Clock
from tests.integration.store.together import Elsewhere
from tests.migrated import put_migrated
from tests.servers.fixtures import NewDatabase


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database: every test of this folder runs on both, but for those that say why not."""
    return str(request.param)


@pytest.fixture
def new_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., str]:
    """Gives URLs of new databases: migrated ones, or empty with `migrated=False`."""
    if kind == "postgresql":
        made: NewDatabase = request.getfixturevalue("new_database")
        return made
    numbers = itertools.count()

    def make(*, migrated: bool = True) -> str:
        file = tmp_path / f"orchestrator-{next(numbers)}.db"
        if migrated:
            put_migrated(file)
        return f"sqlite:///{file}"

    return make


@pytest.fixture
def database_url(new_url: Callable[..., str]) -> str:
    """An empty database."""
    return new_url(migrated=False)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(new_url: Callable[..., str], clock: Clock) -> Iterator[Store]:
    """A migrated store whose time the test tells."""
    store = Store(new_url(), clock=clock)
    yield store
    store.close()


@pytest.fixture
def elsewhere(store: Store) -> Iterator[Elsewhere]:
    """Threads with connections of their own; nobody is held at a fault point afterwards."""
    there = Elsewhere(store)
    yield there
    there.close()
    fault_points.arm("submit.committed:1000000", lambda _: None)
