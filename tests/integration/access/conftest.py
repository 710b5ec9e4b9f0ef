"""The API as a server, made anew for each test that asks for one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.access.api import Api
from tests.migrated import put_migrated

NewApi = Callable[..., Api]


@pytest.fixture
def new_api(tmp_path: Path) -> Iterator[NewApi]:
    made: list[Api] = []

    def make(**settings: object) -> Api:
        folder = tmp_path / f"api-{len(made)}"
        folder.mkdir()
        put_migrated(folder / "orchestrator.db")
        made.append(Api(folder, **settings))
        return made[-1]

    yield make
    for api in made:
        api.close()


@pytest.fixture
def api(new_api: NewApi) -> Api:
    return new_api()
