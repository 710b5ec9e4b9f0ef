"""The API as a server, made anew for each test that asks for one."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.store.database import Store
from orchestrator.store.migrate import migrate
from tests.integration.access.api import Api

NewApi = Callable[..., Api]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "orchestrator.db"
    store = Store(f"sqlite:///{file}")
    migrate(store)
    store.close()
    return file


@pytest.fixture
def new_api(tmp_path: Path, migrated: Path) -> Iterator[NewApi]:
    made: list[Api] = []

    def make(**settings: object) -> Api:
        folder = tmp_path / f"api-{len(made)}"
        folder.mkdir()
        shutil.copy(migrated, folder)
        made.append(Api(folder, **settings))
        return made[-1]

    yield make
    for api in made:
        api.close()


@pytest.fixture
def api(new_api: NewApi) -> Api:
    return new_api()
