"""Many open jobs at a sandbox whose time runs fast, looked at round after round; what that took."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from sqlalchemy import delete, select

from orchestrator.core.job import Job, Updates
from orchestrator.core.learned import lists
from orchestrator.core.learned.folding import Known
from orchestrator.core.learned.lessons import LessonKind
from orchestrator.core.lifecycle import SETTLED
from orchestrator.store import estimates, jobs, schema
from orchestrator.store.estimates import EstimateKind
from tests.integration.engine.harness import Engine
from tests.integration.store.rows import a_job
from tests.sandbox.harness import Sandbox

SLOT = 0.25  # seconds between two rounds of looks, as messages come
MODELS = {"google-ai-studio": "google/veo", "x-ai": "x-ai/grok-video"}


@dataclass(frozen=True)
class Cost:
    """Requests of each kind, and the lags of the ends in seconds, by provider."""

    lists: int
    gets: Counter[str]
    lags: dict[str, list[float]]

    def per_job(self, provider: str) -> float:
        """GETs for each job of a provider."""
        return self.gets[provider] / len(self.lags[provider])


@dataclass
class Stage:
    """One run: jobs of each provider come at a rate, or all at once, and are looked at until all are settled.

    `notice` says of each provider how the gateway learns of ends. `speed` divides the gateway's own times.
    """

    folder: Path
    notice: dict[str, str]
    seconds: Callable[[Random], float]
    hint: float = 1.0
    speed: float = 20.0
    rate: float | None = None
    # Called with the engine before the first job.
    prepare: Callable[[Engine], None] = lambda _: None
    random: Random = field(default_factory=lambda: Random(7))
    _of: dict[str, str] = field(default_factory=dict)  # providers by the gateway's ids

    def run(self, count: int) -> Cost:
        """Let so many jobs of each provider run."""
        sandbox = Sandbox("--time-scale", f"{self.speed}", "--poll-after-seconds", f"{self.hint}")
        try:
            engine = Engine(self.folder, sandbox.url, poll_after_seconds=self.hint)
            self.prepare(engine)
            try:
                self._follow(engine, sandbox, count)
                return self._cost(engine, sandbox)
            finally:
                engine.close()
        finally:
            sandbox.stop()

    def _follow(self, engine: Engine, sandbox: Sandbox, count: int) -> None:
        new = self._jobs(engine, sandbox, count)
        began, made, total = time.time(), 0, count * len(self.notice)
        while made < total or self._open(engine):
            wanted = total if self.rate is None else min(int((time.time() - began) * self.rate) + 1, total)
            come = [next(new) for _ in range(wanted - made)]
            with engine.store.write() as tx:
                jobs.add(tx, come)
            made = wanted
            engine.now = time.time()
            engine.later(0.0)
            while engine.look() is not None:
                engine.now = time.time()
            fold_listings(engine)
            time.sleep(max(0.0, SLOT - (time.time() - engine.now)))

    def _jobs(self, engine: Engine, sandbox: Sandbox, count: int) -> Iterator[Job]:
        for number in range(count):
            for provider, notice in self.notice.items():
                seconds = self.seconds(self.random) * self.speed
                model = {"model": MODELS[provider]}
                made = sandbox.create(model, duration=seconds, notice=notice)
                self._of[made] = provider
                now = time.time()
                known: dict[str, Any] = {
                    "gateway_id": made,
                    "provider": provider,
                    "created_at": now,
                    "due_at": now + self.hint,
                }
                known |= {"ending_class": provider, "deadline_at": now + 3_600}
                name = f"job_{number}_{provider}"
                yield a_job(
                    name,
                    accepted_at=now,
                    state_since=now,
                    gateway_status="queued",
                    updates=Updates.POLL,
                    **known,
                )

    def _open(self, engine: Engine) -> bool:
        with engine.store.read() as tx:
            still = select(schema.jobs.c.id).where(schema.jobs.c.state.not_in(SETTLED)).limit(1)
            return tx.execute(still).first() is not None

    def _cost(self, engine: Engine, sandbox: Sandbox) -> Cost:
        asked = {"method": "GET", "path": "/v1/videos"}
        rows = sandbox.control.get("/requests", params=asked).json()["requests"]
        gets = Counter(self._of[row["job_id"]] for row in rows if row["job_id"] in self._of)
        with engine.store.read() as tx:
            settled = {row.gateway_id: row.settled_at for row in tx.execute(select(schema.jobs))}
            counted = sum(row.looks for row in tx.execute(select(schema.jobs.c.looks)))
        assert counted == gets.total(), "a job's looks are the GETs that were sent"
        lags: dict[str, list[float]] = {provider: [] for provider in self.notice}
        for truth in sandbox.truth():
            lags[self._of[truth["id"]]].append(settled[truth["id"]] - truth["ends_at"])
        return Cost(len(rows) - gets.total(), gets, lags)


def fold_listings(engine: Engine) -> None:
    """What lists taught, folded as workers do."""
    with engine.store.write() as tx:
        taken = delete(schema.lessons).where(schema.lessons.c.kind == LessonKind.LISTING)
        for row in tx.execute(taken.returning(schema.lessons.c.data)).all():
            name = f"{row.data['account']}|{row.data['provider']}"
            known = Known()
            known.lists[name] = lists.read_freshness(estimates.lock(tx, EstimateKind.LISTS, name))
            known.listing(row.data)
            estimates.write(tx, EstimateKind.LISTS, name, known.lists[name].as_json())
    engine.context.lists.read_again_at = 0.0


@contextmanager
def without_lists() -> Iterator[None]:
    """No list is ever worth it."""
    with patch.object(lists, "AT_LEAST", 1_000_000):
        yield
