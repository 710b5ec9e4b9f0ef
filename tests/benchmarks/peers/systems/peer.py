"""A peer: a program of its own in `programs/`, run by the Python of the peers."""

import ast
import json
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import ClassVar

from tests.acceptance.processes import ROOT
from tests.benchmarks.peers.running import Process
from tests.benchmarks.peers.surroundings import API_KEY, ENDPOINT_ID
from tests.benchmarks.peers.systems.base import Missing, System
from tests.benchmarks.peers.systems.servers import durable_postgres, durable_redis, server_versions

PYTHON = ROOT / ".venv-peers" / "bin" / "python"
PROGRAMS = Path(__file__).parents[1] / "programs"
_ASK = """
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


class Peer(System):
    """What its module says of it: the program, what is measured, and which servers it needs."""

    program: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]
    postgres: ClassVar[bool] = False
    redis: ClassVar[bool] = False

    @classmethod
    def versions(cls) -> dict[str, str]:
        needed = {"PostgreSQL": cls.postgres, "Redis": cls.redis}
        servers = {name: one for name, one in server_versions().items() if needed[name]}
        return {"Python": platform.python_version()} | packages(*cls.packages) | servers

    def _serve(self) -> None:
        self._told: dict[str, str] = {}
        if self.postgres:
            postgres = durable_postgres()
            self._serving(postgres, postgres.process.pid)
            self._told["DATABASE_URL"] = postgres.database().replace("postgresql+psycopg", "postgresql")
        if self.redis:
            redis = durable_redis()
            self._serving(redis, redis.process.pid)
            self._told["REDIS_URL"] = redis.url

    def _launch(self) -> None:
        started = [self._role(role) for role in roles(self.program)]
        for one in started:
            one.until_said("ready")

    def _prepare_submitter(self) -> Process:
        return self._role("submit")

    def _role(self, role: str) -> Process:
        keys = {"GATEWAY_API_KEY": API_KEY, "WEBHOOK_ENDPOINT_ID": ENDPOINT_ID}
        command = [str(PYTHON), str(PROGRAMS / f"{self.program}.py"), role]
        return self._run(command, role, self.given() | keys | self._told)


def roles(program: str) -> tuple[str, ...]:
    """What the program says that it has; read, not imported: its packages are not ours."""
    for line in ast.parse((PROGRAMS / f"{program}.py").read_text()).body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "ROLES":
            return tuple(ast.literal_eval(line.value))
    raise AssertionError(f"{program} does not say which roles it has")


@cache
def packages(*names: str) -> dict[str, str]:
    """The versions that the peers' Python has. Raises Missing."""
    if not PYTHON.exists():
        raise Missing("there is no .venv-peers: `make bench` makes it")
    asked = subprocess.run([str(PYTHON), "-c", _ASK, *names], capture_output=True, text=True, check=False)
    if asked.returncode:
        raise Missing(asked.stderr.strip().splitlines()[-1])
    return dict(json.loads(asked.stdout))
