"""An orchestrator at work on jobs with known ends, in compressed time, and what the jobs cost."""

import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from math import floor
from pathlib import Path
from typing import Any

import httpx

from orchestrator.core.job import Source, Updates
from orchestrator.core.lifecycle import SETTLED
from tests.acceptance.callers import calling, new_key
from tests.acceptance.database import MODEL
from tests.acceptance.fleet import Fleet
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until
from tests.benchmarks.cadence.drawn import LONGEST, WORTH, Cost, Drawn
from tests.benchmarks.cadence.worlds import HINT
from tests.benchmarks.deployment import deployed

# What is in the gateway's seconds is compressed like its jobs. What our own processes do every so often is
# not: they are as slow to learn as in life, while ten times as much happens.
RUNNER = """
import sys
from importlib import import_module
found = []  # all of them before one is changed: a module may take another one's constant when it is loaded
for name in {names}:
    module, _, constant = name.rpartition(".")
    found.append((import_module("orchestrator." + module), constant))
for module, constant, value in [(*one, getattr(*one)) for one in found]:
    setattr(module, constant, value / {factor})
from orchestrator.cli import main
del sys.argv[1]
main()
"""
CONSTANTS = (
    "core.learned.hooks.SHORTEST_PATIENCE",
    "core.learned.hooks.LONGEST_PATIENCE",
    "core.learned.lessons.SHORTEST_PATIENCE",
    "core.learned.ticks.TICK",
    "core.learned.ticks.TAKES",
    "core.learned.lessons.CAUSED_WITHIN",
    "core.learned.lessons.CLOSE_NARROW",
)
# What only workers load, as it needs numpy.
OF_WORKERS = (
    "core.learned.estimate.SILENT_FOR",
    "core.learned.folding.CLOSE",
    "engine.open_evidence.EVERY",
)
NET = 300.0  # seconds, of a fixed safety net
DEADLINE = 21_600.0
POLICIES = ("guidance", "net", "learned")
_MIGRATING = threading.Lock()  # one at a time in one process


@dataclass(frozen=True)
class Told:
    """What one job cost: requests, and seconds of lag; `ended_at` on this machine's clock."""

    requests: int
    lag: float
    ended_at: float
    below_floor: int
    by_look: bool


def cost_of(told: Sequence[Told], lists: float = 0.0) -> Cost:
    """The same for arithmetic; list requests are shared out over the jobs."""
    return Cost([one.requests + lists for one in told], [one.lag for one in told])


class Run:
    """One orchestrator at work, and its sandbox. Its times are the gateway's seconds divided by a factor."""

    def __init__(
        self,
        installation: Orchestrator | Fleet,
        sandbox: Sandbox,
        client: httpx.Client,
        factor: float,
        hint: float,
    ) -> None:
        self.installation, self.sandbox = installation, sandbox
        self._client, self._factor, self._hint = client, factor, hint
        self._lists: int = 0

    def submit(self, drawn: Sequence[Drawn], rate: float, *, polled: bool) -> list[str]:
        """Submit them at a steady rate, so many in a second of this machine; their ids."""
        began, ids = time.monotonic(), []
        for number, one in enumerate(drawn):
            time.sleep(max(began + number / rate - time.monotonic(), 0.0))
            answer = self._client.post("/v1/jobs", json=_asked(one, polled)).raise_for_status()
            ids.append(str(answer.json()["id"]))
        return ids

    def settle(self, ids: Sequence[str], share: float = 1.0) -> None:
        """Wait until this share of them has settled."""
        wanted, some = floor(share * len(ids)), set(ids)

        def enough() -> bool:
            jobs = self.installation.database.jobs()
            return sum(job.id in some and job.state in SETTLED for job in jobs) >= wanted

        until(f"{share:.0%} of the jobs have settled", enough, DEADLINE / self._factor, every=1.0)

    def told(self, ids: Sequence[str]) -> list[Told]:
        """What each has cost."""
        truth = {row["session_id"].rpartition(".")[0]: row for row in self.sandbox.truth()}
        asked: dict[str, list[float]] = defaultdict(list)
        for entry in self.sandbox.requests(path="/v1/videos"):
            if entry["method"] == "POST" or _is_look(entry):
                asked[entry["job_id"]].append(entry["at"])
        jobs = {job.id: job for job in self.installation.database.jobs()}
        return [self._told(jobs[one], truth[one], asked[truth[one]["id"]]) for one in ids]

    def _told(self, job: Any, truth: dict[str, Any], asked: list[float]) -> Told:
        return Told(
            requests=len(asked) - 1,  # the first is its create
            lag=(job.settled_at - truth["ends_at"]) * self._factor,
            ended_at=truth["ends_at"],
            below_floor=sum(later - earlier < self._hint for earlier, later in pairwise(asked)),
            by_look=job.won_by is Source.POLL,
        )

    def lists(self) -> int:
        """How many list requests there were since this was asked last."""
        so_far: int = sum(
            one["path"] == "/v1/videos" for one in self.sandbox.requests("GET", path="/v1/videos")
        )
        new = so_far - self._lists
        self._lists = so_far
        return new

    def statuses(self) -> Counter[int]:
        """How the sandbox answered status reads."""
        return Counter(one["status"] for one in self.sandbox.requests("GET") if _is_look(one))

    def warnings(self) -> Counter[str]:
        """What the orchestrator's processes warned of, and how often."""
        lines = [line for run in self.installation.runs for line in run.events()]
        return Counter(line["event"] for line in lines if line["level"] in ("warning", "error"))


def _asked(one: Drawn, polled: bool) -> dict[str, Any]:
    told = {"model": MODEL, "prompt": "waves", "provider_params": {"sandbox": one.switches()}}
    return {"request": told, "updates": Updates.POLL if polled else Updates.HYBRID}


def _is_look(entry: dict[str, Any]) -> bool:
    return bool(entry["method"] == "GET" and entry["path"].rpartition("/")[2] == entry["job_id"])


@contextmanager
def running(folder: Path, policy: str, factor: float, *, fleet: bool = False) -> Iterator[Run]:
    """An orchestrator that follows a policy: `up`, or PostgreSQL and Redis with two workers."""
    hint = (NET if policy == "net" else HINT) / factor
    settings = {
        "cadence": "learned" if policy == "learned" else "guidance",
        "poll_after_seconds": hint,
        "request_worth_seconds": WORTH / factor,
        "longest_spacing_seconds": LONGEST / factor,
        "deadline_seconds": DEADLINE / factor,
        "requests_per_minute": 0,
    }
    options = ("--time-scale", str(factor), "--poll-after-seconds", str(hint), "--log-size", "1000000")
    started: Any = _fleet if fleet else _one_process
    with started(folder, factor, options, settings) as (installation, sandbox):
        key = new_key(installation.database)
        with calling(f"http://127.0.0.1:{installation.port}", key) as client:
            yield Run(installation, sandbox, client, factor, hint)


def _compressed(factor: float, *, learns: bool = True) -> tuple[str, ...]:
    names = CONSTANTS + OF_WORKERS if learns else CONSTANTS
    return (sys.executable, "-c", RUNNER.format(names=names, factor=factor))


@contextmanager
def _one_process(
    folder: Path, factor: float, options: tuple[str, ...], settings: dict[str, Any]
) -> Iterator[tuple[Orchestrator, Sandbox]]:
    sandbox = Sandbox(folder, "sandbox", *options)
    orchestrator = Orchestrator(folder, sandbox.url, **settings)
    sandbox.call(orchestrator.receiver)
    try:
        with _MIGRATING:
            orchestrator.database.jobs()
        orchestrator.start(inside=_compressed(factor))
        yield orchestrator, sandbox
    finally:
        orchestrator.end()
        sandbox.end()


@contextmanager
def _fleet(
    folder: Path, factor: float, options: tuple[str, ...], settings: dict[str, Any]
) -> Iterator[tuple[Fleet, Sandbox]]:
    with deployed(folder, *options, **settings) as deployment:
        fleet = deployment.fleet
        with _MIGRATING:
            fleet.database.jobs()
        roles = ["web", "beat", "worker", "worker"]
        runs = [fleet.launch(one, inside=_compressed(factor, learns=one == "worker")) for one in roles]
        fleet.ready(*runs)
        yield fleet, deployment.sandbox
