"""A scaled deployment for a measurement: servers, sandbox and fleet of its own, gone afterwards."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.fleet import Fleet
from tests.acceptance.sandbox import Sandbox
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer


@dataclass(frozen=True)
class Deployment:
    """What there is to start, load and strike."""

    fleet: Fleet
    sandbox: Sandbox
    postgres: PostgresServer
    redis: RedisServer


@contextmanager
def deployed(folder: Path, *options: str, durable: bool = False, **settings: Any) -> Iterator[Deployment]:
    """Servers and a fleet of which nothing runs yet; `options` go to the sandbox, settings to the fleet.

    Not `durable`, PostgreSQL does not wait for the disk.
    """
    with ExitStack() as stack:
        postgres, redis = PostgresServer(durable=durable), RedisServer()
        stack.callback(postgres.close)
        stack.callback(redis.close)
        sandbox = Sandbox(folder, "sandbox", *options)
        stack.callback(sandbox.end)
        fleet = Fleet(folder, sandbox.url, postgres.database(), redis.url, **settings)
        stack.callback(fleet.end)
        sandbox.call(fleet.receiver)
        yield Deployment(fleet, sandbox, postgres, redis)
