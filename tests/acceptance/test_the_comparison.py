"""The benchmark's world counts rightly, and this orchestrator comes through it."""

import sys
from dataclasses import replace
from typing import ClassVar

import pytest

from tests.benchmarks.peers.measuring import measure
from tests.benchmarks.peers.rows import CONDITIONS, Row
from tests.benchmarks.peers.running import Process
from tests.benchmarks.peers.systems import SYSTEMS
from tests.benchmarks.peers.systems.base import System

CARELESS = """
import json, os, sys, time, urllib.request

def ask(url, body=None):
    sent = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, sent)) as answer:
        return json.loads(answer.read() or b"{}")

print("ready", flush=True)
gateway, sink = os.environ["GATEWAY_URL"], os.environ["SINK_URL"]
jobs = [ask(gateway + "/videos", {"model": "lean"})["id"] for _ in range(int(sys.stdin.readline()))]
print("accepted", flush=True)
for job in jobs:
    while ask(gateway + "/videos/" + job)["status"] != "completed":
        time.sleep(0.05)
for job in jobs[:-1]:
    ask(sink, {"job": job})
ask(sink, {"again": jobs[0]})
ask(sink, {"job": "G-00000000000000000000000000"})
"""


class Careless(System):
    """Hands off one job twice, forgets another, and tells of one that nobody created."""

    name: ClassVar[str] = "careless"
    title: ClassVar[str] = "careless"

    @classmethod
    def versions(cls) -> dict[str, str]:
        return {}

    def _serve(self) -> None:
        """No servers."""

    def _launch(self) -> None:
        """No roles."""

    def _prepare_submitter(self) -> Process:
        return self._run([sys.executable, "-c", CARELESS], "submit", self.given())


def test_what_is_lost_doubled_and_made_up_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONDITIONS, "plain", replace(CONDITIONS["plain"], patience=1.5))
    found = measure(Row("careless", 5, 0.05, 0.1, "plain"), Careless, seed=1)
    counted = {name: found[name] for name in ("created", "handed_off", "lost", "doubled", "strange")}
    assert counted == {"created": 5, "handed_off": 4, "lost": 1, "doubled": 1, "strange": 1}
    assert found["looks_per_job"] >= 1
    assert found["hook_tries_per_job"] == 0  # none was asked for
    assert 0 < found["p50"] <= found["most"]
    assert found["processor"]["own"] >= 0
    assert found["processor"]["servers"] == 0


def test_the_orchestrator_hands_off_each_once_in_the_world_of_the_benchmark() -> None:
    found = measure(Row("ours-embedded", 10, 0.3, 0.6, "plain"), SYSTEMS["ours-embedded"], seed=1)
    counted = {name: found[name] for name in ("created", "handed_off", "lost", "doubled", "strange")}
    assert counted == {"created": 10, "handed_off": 10, "lost": 0, "doubled": 0, "strange": 0}
    assert found["hook_tries_per_job"] >= 1
