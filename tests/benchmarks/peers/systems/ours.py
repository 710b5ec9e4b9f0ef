"""The orchestrator as it is shipped: embedded, and as web, worker and beat on PostgreSQL and Redis."""

import platform
import sqlite3
from importlib.metadata import version
from typing import Any, ClassVar

from pydantic import SecretStr

from orchestrator import __version__
from orchestrator.core.vault import new_key as new_secret_key
from tests.acceptance.callers import new_key
from tests.acceptance.database import Database
from tests.acceptance.orchestrator import named
from tests.acceptance.processes import clean_environment, module, program
from tests.acceptance.waiting import until
from tests.benchmarks.peers.running import Process
from tests.benchmarks.peers.surroundings import API_KEY, ENDPOINT_ID, Surroundings
from tests.benchmarks.peers.systems.base import System
from tests.benchmarks.peers.systems.servers import durable_postgres, durable_redis, server_versions
from tests.integration.sinks.receivers import NEW

_SINK = """
[destinations.sink]
type = "webhook"
url = "{url}"
secrets = [{{ file = "{secret}" }}]
allow = ["127.0.0.0/8"]
allow_http = true
"""


class Ours(System):
    """What both have in common: settings, a signed call as the hand-off, and jobs that come over the API."""

    roles: ClassVar[tuple[str, ...]]
    hook_path: ClassVar[str] = "/webhooks/gateway/default"

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._secret_key = new_secret_key()

    def settings(self) -> dict[str, str]:
        """Those of a deployment, with cadence by the guidance since nothing was learned yet."""
        destinations = self.folder / "destinations.toml"
        (self.folder / "sink.secret").write_text(NEW)
        destinations.write_text(_SINK.format(url=self.around.sink_url, secret=self.folder / "sink.secret"))
        given: dict[str, Any] = {
            "data_dir": self.folder / "data",
            "destinations_file": destinations,
            "gateway_url": self.around.gateway_url,
            "gateway_api_key": API_KEY,
            "webhook_endpoint_id": ENDPOINT_ID,
            "webhook_secrets": self.around.secret,
            "port": self.around.receiver_port,
            "poll_after_seconds": self.around.conditions.poll_after_seconds,
            "cadence": "guidance",
            "keep_outputs": False,  # as the others, it hands on the word that a job ended, and no file
            "secret_keys": self._secret_key,
        }
        return named(given | self._own_settings())

    def _own_settings(self) -> dict[str, Any]:
        return {}

    def _launch(self) -> None:
        environment = clean_environment(**self.settings())
        started = [self._run(program(role), role, environment) for role in self.roles]
        for one in started:
            until(f"{one.name} is ready", lambda one=one: _has_started(one), 120)  # type: ignore[misc]

    def _prepare_submitter(self) -> Process:
        database = Database(self.settings())
        try:
            key = SecretStr(new_key(database))
        finally:
            database.close()
        environment = clean_environment(
            API_URL=f"http://127.0.0.1:{self.around.receiver_port}", API_KEY=key.get_secret_value()
        )
        return self._run(module("tests.benchmarks.peers.programs.ours"), "submit", environment)


def _has_started(process: Process) -> bool:
    said = process.err.read_text(errors="replace")
    return '"event": "started"' in said or '"event":"started"' in said


class Embedded(Ours):
    """One process and SQLite."""

    name = "ours-embedded"
    title = "this one, embedded (SQLite)"
    roles = ("up",)

    @classmethod
    def versions(cls) -> dict[str, str]:
        return _common() | {"SQLite": sqlite3.sqlite_version}

    def _serve(self) -> None:
        Database(self.settings()).close()  # made and migrated, as a first start does


class Scaled(Ours):
    """Web, one worker and beat."""

    name = "ours"
    title = "this one (PostgreSQL, Redis)"
    roles = ("web", "worker", "beat")

    @classmethod
    def versions(cls) -> dict[str, str]:
        ours = {name: version(name) for name in ("celery", "psycopg", "redis", "uvicorn")}
        return _common() | ours | server_versions()

    def _serve(self) -> None:
        postgres, redis = durable_postgres(), durable_redis()
        self._serving(postgres, postgres.process.pid)
        self._serving(redis, redis.process.pid)
        self._urls = {"database_url": postgres.database(), "broker_url": redis.url}
        Database(self.settings()).close()

    def _own_settings(self) -> dict[str, Any]:
        return self._urls | {"web_hand_off_threads": 8}


def _common() -> dict[str, str]:
    return {"orchestrator": __version__, "Python": platform.python_version()}
