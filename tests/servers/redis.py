"""Redis for tests: one that is there, or a private server to do anything to."""

import signal
from pathlib import Path
from typing import ClassVar

import redis

from tests.patience import LONG
from tests.servers.private import PrivateServer
from tests.servers.programs import REDIS, program

_SETTINGS = {
    "bind": "127.0.0.1",
    "save": "",
    "appendonly": "yes",  # so that nothing is lost by a kill; the system has what was not synced
    "appendfsync": "no",
    "daemonize": "no",
}


class Redis:
    """A running Redis, at one of its databases."""

    def __init__(self, url: str) -> None:
        self._url = url

    @property
    def url(self) -> str:
        """Where our database is."""
        return self._url

    def client(self, timeout: float = LONG) -> redis.Redis:
        """A client of its own, to be closed by whoever asked for it."""
        return redis.Redis.from_url(self.url, socket_timeout=timeout, socket_connect_timeout=timeout)

    def flush(self) -> None:
        """Empty our database."""
        with self.client() as client:
            client.flushdb()


class RedisServer(PrivateServer, Redis):
    """A private server."""

    name = "redis"
    stops: ClassVar = {"fast": signal.SIGTERM, "immediate": signal.SIGKILL}

    def __init__(self, executable: Path | None = None, **settings: str) -> None:
        self._program = executable or program(REDIS)
        self._settings = _SETTINGS | settings
        PrivateServer.__init__(self, user="")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> list[str]:
        told = {"port": str(self.port), "dir": str(self.folder)} | self._settings
        return [str(self._program), *(part for name, value in told.items() for part in (f"--{name}", value))]

    def _answers(self) -> bool:
        try:
            with self.client(5) as client:
                return bool(client.info("server")["process_id"] == self.process.pid)
        except (redis.ConnectionError, redis.TimeoutError):  # also while it reads its data
            return False

    def flush(self) -> None:
        """Empty all of it, as FLUSHALL does."""
        with self.client() as client:
            client.flushall()
