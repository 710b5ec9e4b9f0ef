"""Pages that begin with nothing: the reader starts sandbox and orchestrator, and may kill them too."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.sandbox import API_KEY, ENDPOINT_ID, SECRET
from tests.documentation.blocks import ALONE, TUTORIAL
from tests.documentation.place import Place
from tests.documentation.reader import Reader
from tests.servers.fixtures import NewDatabase
from tests.servers.redis import Redis

OF_THE_TUTORIAL = {
    "ORCHESTRATOR_GATEWAY_API_KEY": API_KEY,
    "ORCHESTRATOR_WEBHOOK_ENDPOINT_ID": ENDPOINT_ID,
    "ORCHESTRATOR_WEBHOOK_SECRETS": SECRET,
    "ORCHESTRATOR_UNCERTAIN_EVERY_SECONDS": "0.5",
}


SCALED = next(page for page in ALONE if page.stem == "use-postgresql-and-redis")


@pytest.mark.parametrize("page", [page for page in ALONE if page != SCALED], ids=lambda page: page.stem)
def test_a_page_that_starts_everything_itself_can_be_followed(
    alone: Place, follow: Callable[[Place, Path], Reader], page: Path
) -> None:
    if page != TUTORIAL:  # which shows the settings; the others say that they are its
        gateway = {"ORCHESTRATOR_GATEWAY_URL": f"http://127.0.0.1:{alone.sandbox}/v1"}
        alone.environment |= OF_THE_TUTORIAL | gateway
    follow(alone, page)


def test_the_page_about_postgresql_and_redis_can_be_followed(
    alone: Place, follow: Callable[[Place, Path], Reader], new_database: NewDatabase, redis_server: Redis
) -> None:
    redis_server.flush()
    alone.environment["READER_DATABASE"] = new_database(migrated=False)
    alone.environment["READER_REDIS"] = redis_server.url
    gateway = {"ORCHESTRATOR_GATEWAY_URL": f"http://127.0.0.1:{alone.sandbox}/v1"}
    alone.environment |= OF_THE_TUTORIAL | gateway
    follow(alone, SCALED)
