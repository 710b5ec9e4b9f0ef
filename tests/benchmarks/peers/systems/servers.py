"""The servers that systems share, with the same durability for all."""

import re
import subprocess
from functools import cache

from tests.servers.postgres import PostgresServer
from tests.servers.programs import POSTGRES, REDIS, program
from tests.servers.redis import RedisServer


def durable_postgres() -> PostgresServer:
    """As shipped: fsync and synchronous_commit on. Room for the connections of every system."""
    return PostgresServer(durable=True, synchronous_commit="on")


def durable_redis() -> RedisServer:
    """Every write in the log, which is synced once a second."""
    return RedisServer(appendonly="yes", appendfsync="everysec")


@cache
def server_versions() -> dict[str, str]:
    """What both say of themselves."""
    return {"PostgreSQL": _version(str(program(POSTGRES))), "Redis": _version(str(program(REDIS)))}


def _version(executable: str) -> str:
    said = subprocess.run([executable, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+\.\d+(\.\d+)?", said)
    return found.group() if found else said.strip()
