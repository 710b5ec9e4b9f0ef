"""Restate: its program, and the server that keeps its journals."""

import json
import os
import urllib.error
import urllib.request
from functools import cached_property
from typing import ClassVar

from tests.acceptance.processes import free_port
from tests.acceptance.waiting import until
from tests.benchmarks.peers.running import Process
from tests.benchmarks.peers.systems.base import Missing
from tests.benchmarks.peers.systems.peer import PYTHON, Peer
from tests.benchmarks.peers.systems.peers import SHARED

_MODULES = PYTHON.parents[1] / "node_modules" / "@restatedev"


class RestateServer:
    """As it is shipped: one node, its log and its partitions in a folder."""

    def __init__(self, around: "Restate") -> None:
        self._ports = {name: free_port() for name in ("node", "ingress", "admin")}
        told = {
            "RESTATE_BASE_DIR": str(around.folder / "restate"),
            "RESTATE_BIND_ADDRESS": self._address("node"),
            "RESTATE_INGRESS__BIND_ADDRESS": self._address("ingress"),
            "RESTATE_ADMIN__BIND_ADDRESS": self._address("admin"),
            "DO_NOT_TRACK": "1",
            **around.server_settings,
        }
        self.process = Process([program()], around.folder, "restate-server", dict(os.environ) | told)
        until("Restate answers", self._answers, 60, 0.1)

    def _address(self, name: str) -> str:
        return f"127.0.0.1:{self._ports[name]}"

    def url(self, name: str) -> str:
        """Of its ingress or its admin API."""
        return f"http://{self._address(name)}"

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url('admin')}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def close(self) -> None:
        self.process.end()


class Restate(Peer):
    """Handlers over HTTP/2, journaled by a server in Rust."""

    name = "restate"
    title = "Restate (restate-server)"
    program = "restate_program"
    packages = ("restate-sdk", "hypercorn", *SHARED)
    server_settings: ClassVar[dict[str, str]] = {}

    @classmethod
    def versions(cls) -> dict[str, str]:
        told = json.loads((_MODULES / "restate-server" / "package.json").read_text()) if program() else {}
        return super().versions() | {"restate-server": told["version"]}

    def _serve(self) -> None:
        super()._serve()
        server = RestateServer(self)
        self._serving(server, server.process.pid)
        self._told |= {
            "RESTATE_INGRESS_URL": server.url("ingress"),
            "RESTATE_ADMIN_URL": server.url("admin"),
            "SERVICE_PORT": str(self._service_port),
        }

    @cached_property
    def _service_port(self) -> int:
        return free_port()


class RestateTuned(Restate):
    """The same by fresh eyes."""

    name = "restate-tuned"
    title = "Restate, made faster"
    program = "restate_tuned"
    server_settings: ClassVar = {"RESTATE_DEFAULT_NUM_PARTITIONS": "4"}  # 24 are for more cores than two


def program() -> str:
    """The server's program of this machine, without the wrapper in JavaScript. Raises Missing."""
    found = sorted(_MODULES.glob("restate-server-*/bin/restate-server"))
    if not found:
        raise Missing("npm install @restatedev/restate-server did not bring a server for this machine")
    return str(found[0])
