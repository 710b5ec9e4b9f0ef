"""A gateway in this process whose list and GETs follow a virtual clock, and an engine that looks at it.

What a loaded machine does to the times of a sandbox it does not do to these.
"""

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from random import Random

from sqlalchemy import select

from orchestrator.core.job import Job, Observation, Source, Updates
from orchestrator.core.lifecycle import Seen
from orchestrator.store import jobs, schema
from tests.integration.engine.harness import Engine
from tests.integration.engine.listing_stage import Cost, fold_listings
from tests.integration.store.rows import a_job

SLOT, TICK, WINDOW, HINT = 0.25, 300.0, 100, 20.0


@dataclass
class Video:
    """A job as the gateway has it; `stored_at` is when it knows of the end, by itself or because of a GET."""

    provider: str
    ends_at: float
    updated_at: float
    stored_at: float


@dataclass
class Pretend:
    """Stands in for the client of the gateway; `now` tells the time."""

    now: Callable[[], float]
    videos: dict[str, Video] = field(default_factory=dict)
    gets: Counter[str] = field(default_factory=Counter)
    lists: int = 0

    def add(self, name: str, provider: str, *, seconds: float, by_tick: bool) -> None:
        """A job that begins now."""
        ends = self.now() + seconds
        self.videos[name] = Video(provider, ends, self.now(), ceil(ends / TICK) * TICK if by_tick else ends)

    async def look(self, name: str) -> Observation:
        """Asks the provider, and stores an end."""
        video = self.videos[name]
        self.gets[video.provider] += 1
        ended = video.ends_at <= self.now()
        if ended:
            video.stored_at = min(video.stored_at, self.now())
        return self._seen(Source.POLL, name, video, ended=ended)

    async def list_recent(self, limit: int = WINDOW) -> list[Observation]:
        """What is stored of those that changed last."""
        self.lists += 1
        now = self.now()
        ended = {name: video.stored_at <= now for name, video in self.videos.items()}
        changed = sorted(
            self.videos.items(),
            key=lambda pair: pair[1].stored_at if ended[pair[0]] else pair[1].updated_at,
            reverse=True,
        )
        return [self._seen(Source.LIST, name, one, ended=ended[name]) for name, one in changed[:limit]]

    def _seen(self, source: Source, name: str, video: Video, *, ended: bool) -> Observation:
        seen, status = (Seen.COMPLETED, "completed") if ended else (Seen.OPEN, "processing")
        return Observation(source, seen, name, status=status, provider=video.provider, poll_after=HINT)

    async def aclose(self) -> None:
        """Nothing was opened."""


def run(
    notice: dict[str, str],
    seconds: Callable[[Random], float],
    *,
    count: int,
    rate: float,
    prepare: Callable[[Engine], None],
) -> Cost:
    """So many jobs of each provider, coming at a rate in all, looked at until all are settled."""
    random, lags = Random(7), {provider: list[float]() for provider in notice}
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Path(folder), "http://127.0.0.1:9/v1")
        gateway = Pretend(lambda: engine.now)
        engine.context.gateways = {"default": gateway}  # type: ignore[dict-item]
        engine.context.random = random.random
        prepare(engine)
        order = [provider for _ in range(count) for provider in notice]
        began, made = engine.now, 0
        while made < len(order) or _open(engine):
            wanted = min(int((engine.now - began) * rate) + 1, len(order))
            with engine.store.write(durable=False) as tx:
                for number in range(made, wanted):
                    provider = order[number]
                    name = f"job_{number}"
                    gateway.add(name, provider, seconds=seconds(random), by_tick=notice[provider] == "tick")
                    jobs.add(tx, [_job(engine, name, provider)])
            made = wanted
            engine.later(SLOT)
            while engine.look() is not None:
                pass
            fold_listings(engine)
        with engine.store.read() as tx:
            for row in tx.execute(select(schema.jobs)):
                lags[row.provider].append(row.settled_at - gateway.videos[row.gateway_id].ends_at)
        engine.context.gateways = {}
        engine.close()
    return Cost(gateway.lists, gateway.gets, lags)


def _job(engine: Engine, name: str, provider: str) -> Job:
    now = engine.now
    pace = engine.context.paces.of(name, provider, None)
    first = pace.plan.next_age(0.0) if pace.plan else HINT
    return a_job(
        name,
        gateway_id=name,
        provider=provider,
        ending_class=provider,
        updates=Updates.POLL,
        gateway_status="processing",
        accepted_at=now,
        state_since=now,
        created_at=now,
        due_at=now + max(first, HINT),
        deadline_at=now + 3_600,
    )


def _open(engine: Engine) -> bool:
    with engine.store.read() as tx:
        still = select(schema.jobs.c.id).where(schema.jobs.c.state == "waiting").limit(1)
        return tx.execute(still).first() is not None
