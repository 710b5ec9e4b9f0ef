"""One sandbox for each test process, reset before every test; orchestrators are always new."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.disks import KINDS, Disk
from tests.acceptance.fleet import Fleet
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.sandbox import Sandbox
from tests.servers.fixtures import NewDatabase
from tests.servers.redis import Redis

SPEED = 200  # a five-minute tick of the gateway is one and a half seconds

Begin = Callable[..., Orchestrator]
Deploy = Callable[..., Fleet]
FullDisk = Callable[[str, Path], Disk]


def running(folder: Path, name: str, *options: str) -> Iterator[Sandbox]:
    """A sandbox of one's own, for as long as a fixture lasts."""
    sandbox = Sandbox(folder, name, *options)
    try:
        yield sandbox
    finally:
        sandbox.end()


@pytest.fixture(scope="session")
def real_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    yield from running(tmp_path_factory.mktemp("sandbox"), "sandbox")


@pytest.fixture(scope="session")
def sped_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    yield from running(tmp_path_factory.mktemp("sandbox"), "sandbox", "--time-scale", str(SPEED))


@pytest.fixture
def sandbox(real_time: Sandbox) -> Sandbox:
    """A sandbox in real time."""
    real_time.reset()
    return real_time


@pytest.fixture
def fast_sandbox(sped_up: Sandbox) -> Sandbox:
    """A sandbox whose own times pass 200 times as fast."""
    sped_up.reset()
    return sped_up


@pytest.fixture
def begin(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Begin]:
    """Makes orchestrators on a sandbox, not started yet; the first of a test gets its webhooks."""
    made: list[Orchestrator] = []

    def make(sandbox: Sandbox, gateway_url: str | None = None, **settings: Any) -> Orchestrator:
        folder = tmp_path / f"orchestrator{len(made)}"
        folder.mkdir()
        orchestrator = Orchestrator(folder, gateway_url or sandbox.url, **settings)
        if not made:
            sandbox.call(orchestrator.receiver)
        made.append(orchestrator)
        return orchestrator

    yield make
    for orchestrator in made:
        orchestrator.end()
        request.node.add_report_section("teardown", "orchestrator", orchestrator.logs())


@pytest.fixture
def deploy(
    tmp_path: Path, request: pytest.FixtureRequest, new_database: NewDatabase, redis_server: Redis
) -> Iterator[Deploy]:
    """Makes scaled deployments on a sandbox, not started yet; the first of a test gets its webhooks.

    They share servers with other tests unless the test brings its own: `database_url`, `broker_url`.
    """
    made: list[Fleet] = []
    redis_server.flush()

    def make(sandbox: Sandbox, *, database_url: str = "", broker_url: str = "", **settings: Any) -> Fleet:
        folder = tmp_path / f"fleet{len(made)}"
        folder.mkdir()
        gateway_url = settings.pop("gateway_url", sandbox.url)
        database_url = database_url or new_database()
        fleet = Fleet(folder, gateway_url, database_url, broker_url or redis_server.url, **settings)
        if not made:
            sandbox.call(fleet.receiver)
        made.append(fleet)
        return fleet

    yield make
    for fleet in made:
        fleet.end()
        request.node.add_report_section("teardown", "fleet", fleet.logs())


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[FullDisk]:
    """Makes a folder without room for a video, of one of the KINDS."""
    made: list[Disk] = []

    def make(kind: str, folder: Path) -> Disk:
        made.append(KINDS[kind](folder, tmp_path))
        return made[-1]

    yield make
    for disk in made:
        disk.end()
