"""The fixtures of the object stores: one server of each kind for each xdist worker, and some to break."""

from collections.abc import Iterator
from typing import TypeVar

import pytest

from tests.servers.azurite import AzureContainer, AzuriteServer
from tests.servers.processes import ServerBroken
from tests.servers.programs import ServerMissing
from tests.servers.s3 import S3Bucket, S3Server

Server = TypeVar("Server", S3Server, AzuriteServer)
Place = S3Bucket | AzureContainer


def _brought(make: type[Server]) -> Iterator[Server]:
    try:
        server = make()
    except (ServerMissing, ServerBroken) as error:
        pytest.fail(str(error), pytrace=False)
    yield server
    server.close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """S3 for the whole run: make buckets in it, and leave the server alone."""
    yield from _brought(S3Server)


@pytest.fixture(scope="session")
def azurite() -> Iterator[AzuriteServer]:
    """Azure Blob Storage for the whole run: make containers in it, and leave the server alone."""
    yield from _brought(AzuriteServer)


@pytest.fixture
def own_s3() -> Iterator[S3Server]:
    """An S3 of this test's own, to be stopped, killed and paused."""
    yield from _brought(S3Server)


@pytest.fixture
def own_azurite() -> Iterator[AzuriteServer]:
    """An Azure Blob Storage of this test's own, to be stopped, killed and paused."""
    yield from _brought(AzuriteServer)


@pytest.fixture
def s3_bucket(s3_server: S3Server) -> Iterator[S3Bucket]:
    """An empty bucket, where a copy can be made conditional."""
    yield s3_server.new_bucket()
    s3_server.reset()


@pytest.fixture
def plain_s3_bucket(s3_server: S3Server) -> Iterator[S3Bucket]:
    """An empty bucket of a server that ignores conditions of copies, as many do that speak S3."""
    yield s3_server.new_bucket("plain-")
    s3_server.reset()


@pytest.fixture
def azure_container(azurite: AzuriteServer) -> AzureContainer:
    """An empty container."""
    return azurite.new_container()


@pytest.fixture(params=["s3_bucket", "plain_s3_bucket", "azure_container"])
def place(request: pytest.FixtureRequest) -> Place:
    """An empty place of each kind."""
    found: Place = request.getfixturevalue(request.param)
    return found
