"""The fixtures: one server of each kind for a whole run (of each xdist worker), and private ones to break.

The environment may name running servers: TEST_DATABASE_URL (with the right to create databases) and
TEST_REDIS_URL (the databases from the one it names on are emptied, one for each xdist worker).
"""

import os
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from sqlalchemy.engine import make_url

from orchestrator.store.database import Store
from orchestrator.store.migrate import migrate
from tests.servers.postgres import Databases, PostgresServer
from tests.servers.processes import ServerBroken
from tests.servers.programs import ServerMissing
from tests.servers.redis import Redis, RedisServer

NewDatabase = Callable[..., str]
Server = TypeVar("Server", PostgresServer, RedisServer)


def _brought(make: Callable[[], Server]) -> Iterator[Server]:
    try:
        server = make()
    except (ServerMissing, ServerBroken) as error:
        pytest.fail(str(error), pytrace=False)
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """PostgreSQL for the whole run: make databases in it, and leave the server alone."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        there = Databases(given)
        yield there
        there.drop_all()
        return
    yield from _brought(PostgresServer)


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of this test's own, to be stopped, killed and paused."""
    yield from _brought(PostgresServer)


@pytest.fixture
def new_database(postgres: Databases) -> Iterator[NewDatabase]:
    """Makes databases that are gone after the test: migrated ones, or empty with `migrated=False`."""
    made: list[str] = []

    def make(*, migrated: bool = True) -> str:
        made.append(postgres.database(like=postgres.template("migrated", _migrate) if migrated else ""))
        return made[-1]

    yield make
    for url in made:
        postgres.drop(url)


def _migrate(url: str) -> None:
    store = Store(url)
    migrate(store)
    store.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """Redis for the whole run: empty it when you begin, and leave the server alone."""
    given = os.environ.get("TEST_REDIS_URL")
    if given:
        yield Redis(_of_this_worker(given))
        return
    yield from _brought(RedisServer)


def _of_this_worker(url: str) -> str:
    there = make_url(url)
    number = int(there.database or 0) + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    return there.set(database=str(number)).render_as_string(hide_password=False)


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis of this test's own, to be stopped, killed and paused."""
    yield from _brought(RedisServer)
