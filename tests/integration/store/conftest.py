"""A fresh database for every test, on each kind of database that the store runs on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.store.database import Store
from orchestrator.store.migrate import migrate
from tests.integration.store.rows import Clock


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    return {"sqlite": f"sqlite:///{tmp_path / 'orchestrator.db'}"}[request.param]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[Store]:
    """A migrated store whose time the test tells."""
    store = Store(database_url, clock=clock)
    migrate(store)
    yield store
    store.close()
