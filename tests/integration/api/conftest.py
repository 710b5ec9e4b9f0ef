"""One API for the whole folder, with new tenants for each test; or an API of a test's own."""

from collections.abc import Callable, Iterator

import pytest

from tests.integration.api.served import Holder, Served
from tests.migrated import put_migrated

NewApi = Callable[..., Served]


@pytest.fixture(scope="session")
def new_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewApi]:
    """Makes APIs, each with a database of its own; options are settings."""
    made: list[Served] = []

    def make(**settings: object) -> Served:
        folder = tmp_path_factory.mktemp("served")
        put_migrated(folder / "orchestrator.db")
        made.append(Served(folder, **settings))
        return made[-1]

    yield make
    for api in made:
        api.close()


@pytest.fixture(scope="session")
def running(new_api: NewApi) -> Served:
    return new_api(requests_per_minute=0)


@pytest.fixture
def api(running: Served) -> Served:
    running.sent.clear()
    return running


@pytest.fixture
def us(api: Served) -> Holder:
    return api.new_tenant()


@pytest.fixture
def them(api: Served) -> Holder:
    return api.new_tenant()
