"""The world as the harness sees it: a process, and what it tells of the jobs."""

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.processes import clean_environment, free_port, module
from tests.benchmarks.peers.running import Process, processor_seconds
from tests.benchmarks.peers.world import new_secret

API_KEY = "phaseo_v1_sk_bench_localonly"
ENDPOINT_ID = "7f9c2ba4-e88f-4f9a-8d0e-0c1b2a3d4e5f"


@dataclass(frozen=True)
class Conditions:
    """How the jobs of a run go: the same for every system."""

    shortest: float
    longest: float
    poll_after_seconds: float
    hooks_lost: float
    seed: int


class Surroundings:
    """One world, for one run. Systems are given it to learn where everything is."""

    def __init__(self, folder: Path, conditions: Conditions) -> None:
        self.folder, self.conditions = folder, conditions
        self.secret = new_secret()
        self.receiver_port = free_port()
        self._port = free_port()
        self._process: Process | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def gateway_url(self) -> str:
        """With its version, as the gateway's."""
        return f"{self.base}/v1"

    @property
    def sink_url(self) -> str:
        """Where hand-offs are to go."""
        return f"{self.base}/done"

    def start(self, hook_path: str) -> None:
        """Start it; webhooks are sent to this path of the receiver."""
        given = {
            "port": self._port,
            "shortest": self.conditions.shortest,
            "longest": self.conditions.longest,
            "hook-url": f"http://127.0.0.1:{self.receiver_port}{hook_path}",
            "secret": self.secret,
            "poll-after-seconds": self.conditions.poll_after_seconds,
            "hooks-lost": self.conditions.hooks_lost,
            "seed": self.conditions.seed,
        }
        options = [part for name, value in given.items() for part in (f"--{name}", str(value))]
        command = module("tests.benchmarks.peers.world", *options)
        self._process = Process(command, self.folder, "world", clean_environment())
        self._process.until_said("ready")

    def counts(self) -> dict[str, int]:
        """How many jobs were created, have ended, and are handed off."""
        return dict(self._ask("counts"))

    def report(self) -> dict[str, Any]:
        """All that became of the jobs."""
        return dict(self._ask("report"))

    def processor_seconds(self) -> float:
        """What the world itself has used."""
        return processor_seconds([self._process.pid]) if self._process else 0.0

    def end(self) -> None:
        if self._process is not None:
            self._process.end()

    def _ask(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.base}/_world/{what}", timeout=30) as answer:
            return json.load(answer)
