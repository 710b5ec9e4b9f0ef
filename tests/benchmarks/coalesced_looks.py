"""What one list before many looks saves, and what a budget costs by value and by age.

python -m tests.benchmarks.coalesced_looks --rates 5 20 --jobs 1000 [--sandbox]

Jobs of two providers come at a rate, of one the gateway learns of ends at once, of the other on its tick.
Requests and lag for each job with and without lists, by the guidance and by a plan that knows when jobs end:
in virtual time, or against a sandbox. Then, simulated, under half the looks that are wanted: lag where the
looks worth most come first, and where the longest due do.
"""

import argparse
import heapq
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import mean, quantiles

import numpy as np
from numpy.typing import NDArray

from orchestrator.core.cadence import Guidance, next_look
from orchestrator.core.learned.grid import BINS, bin_of
from orchestrator.core.learned.induction import NOTHING_HEARD, Hearing, hearing, plan
from orchestrator.core.learned.paces import BY_GUIDANCE, Pace, Schedule, Why
from orchestrator.core.learned.plan import Plan
from orchestrator.core.learned.value import value_of
from tests.benchmarks.pretend_lists import run
from tests.integration.engine.harness import Engine
from tests.integration.engine.listing_stage import Cost, Stage, without_lists

NOTICE = {"x-ai": "instant", "google-ai-studio": "tick"}
SPEED = 10.0  # the sandbox runs so many times as fast


def alike(low: float, high: float) -> NDArray[np.float64]:
    """Ages alike between two, as a distribution."""
    density = np.zeros(BINS + 1)
    density[bin_of(low) : bin_of(high) + 1] = 1.0
    return np.asarray(density / density.sum())


def a_plan(low: float, high: float, heard: Hearing, floor: float, worth: float) -> Plan:
    """The best moments for jobs that end between two ages, alike."""
    return plan(alike(low, high), heard, floor=floor, request_seconds=worth, longest=45 * floor)


def at_a_rate(rate: float, count: int, *, sandbox: bool) -> None:
    """With and without lists, by the guidance and by a plan; jobs of each provider come at half the rate."""
    times = FAST if sandbox else Times()
    for words, prepare in (("guidance", lambda _: None), ("learned", times.learned)):
        for listing, patched in (("GETs only", without_lists()), ("lists", nullcontext())):
            with patched:
                told = (
                    times.on_the_sandbox(rate, count, prepare)
                    if sandbox
                    else run(NOTICE, times.seconds, count=count, rate=rate, prepare=prepare)
                )
            jobs = sum(map(len, told.lags.values()))
            requests = (told.lists + told.gets.total()) / jobs
            each = [
                f"{one} {told.per_job(one):.2f} GETs, "
                f"lag {mean(lags):.2f} p95 {quantiles(lags, n=20)[-1]:.2f} s"
                for one, lags in told.lags.items()
            ]
            print(
                f"{rate:g} ends/s, {words:<9}{listing:<10} requests a job {requests:.2f}, "
                f"{told.lists / jobs:.2f} of them lists ({'; '.join(each)})",
                flush=True,
            )


@dataclass(frozen=True)
class Times:
    """The hint, and the ages between which jobs end, in seconds."""

    hint: float = 20.0
    shortest: float = 60.0
    longest: float = 120.0

    def seconds(self, random: Random) -> float:
        """When one ends."""
        return random.uniform(self.shortest, self.longest)

    def learned(self, engine: Engine) -> None:
        """Let it be known when jobs end."""
        made = a_plan(self.shortest, self.longest, NOTHING_HEARD, self.hint, self.hint)
        pace = Pace(Why.LEARNED, made, 45 * self.hint)
        engine.context.paces.schedules = {(provider, None): Schedule(pace) for provider in NOTICE}

    def on_the_sandbox(self, rate: float, count: int, prepare: Callable[[Engine], None]) -> Cost:
        """Real requests, in real time."""
        with tempfile.TemporaryDirectory() as folder:
            stage = Stage(Path(folder), NOTICE, self.seconds, self.hint, SPEED, rate=rate, prepare=prepare)
            return stage.run(count)


FAST = Times(2.0, 6.0, 12.0)


@dataclass
class Kind:
    """Jobs alike: their plan, and how they end and are heard of."""

    name: str
    plan: Plan | None
    ends: Callable[[Random], float]
    lost: float = 1.0
    worth: float = 20.0


@dataclass
class Simulated:
    """A job of the simulation; times are seconds since the beginning."""

    kind: Kind
    began: float
    ends: float
    heard: float | None
    seen: float
    due: float


def kinds() -> list[Kind]:
    """Jobs without webhooks and with good ones, wide and narrow, and one of which nothing is known."""
    good = hearing(0.02, alike(0.1, 2.0))
    return [
        Kind("narrow, no hooks", a_plan(75, 105, NOTHING_HEARD, 20, 20), lambda r: r.uniform(75, 105)),
        Kind("wide, no hooks", a_plan(20, 600, NOTHING_HEARD, 20, 20), lambda r: _log(r, 20, 600)),
        Kind("narrow, hooks", a_plan(75, 105, good, 20, 20), lambda r: r.uniform(75, 105), lost=0.02),
        Kind("guidance", None, lambda r: _log(r, 20, 600)),
    ]


def _log(random: Random, low: float, high: float) -> float:
    return float(low * (high / low) ** random.random())


def arrivals(random: Random, count: int, per_second: float) -> Iterator[Simulated]:
    """Jobs of each kind in turn."""
    several = kinds()
    for number in range(count):
        kind, began = several[number % len(several)], number / per_second
        ends = began + kind.ends(random)
        heard = None if random.random() < kind.lost else ends + random.uniform(0.1, 2.0)
        job = Simulated(kind, began, ends, heard, began, 0.0)
        job.due = _next(job, began, random)
        yield job


def _next(job: Simulated, now: float, random: Random) -> float:
    pace = BY_GUIDANCE if job.kind.plan is None else Pace(Why.LEARNED, job.kind.plan)
    known = {"deadline": job.began + 21_600, "age": now - job.began, "pace": pace}
    return next_look(now=now, guidance=Guidance(20.0), jitter=random.random(), **known).at  # type: ignore[arg-type]


def by_value(job: Simulated, now: float) -> float:
    """What a look is worth."""
    age, seen = now - job.began, job.seen - job.began
    return value_of(age=age, seen_running_at=seen, floor=20.0, plan=job.kind.plan)


def by_age(job: Simulated, now: float) -> float:
    """How long it is due."""
    return now - job.due


def under_a_budget(
    looks_per_second: float | None, order: Callable[[Simulated, float], float], seed: int
) -> tuple[float, dict[str, list[float]]]:
    """Looks a second that were sent, and lags by kind, in steps of a second."""
    random = Random(seed)
    coming, waiting, sent, left = list(arrivals(random, 4_000, 4.0)), list[Simulated](), 0, 0.0
    coming.reverse()
    lags: dict[str, list[float]] = {kind.name: [] for kind in kinds()}
    now = 0.0
    while coming or waiting:
        now += 1.0
        while coming and coming[-1].began <= now:
            waiting.append(coming.pop())
        for job in waiting:
            if job.heard is not None and job.heard <= now:
                lags[job.kind.name].append(job.heard - job.ends)
        waiting = [job for job in waiting if job.heard is None or job.heard > now]
        due = [job for job in waiting if job.due <= now]
        left = len(due) if looks_per_second is None else min(left + looks_per_second, 5 * looks_per_second)
        looked = heapq.nlargest(min(int(left), len(due)), due, key=lambda job: order(job, now))
        left, sent = left - len(looked), sent + len(looked)
        for job in looked:
            if job.ends <= now:
                lags[job.kind.name].append(now - job.ends)
            else:
                job.seen, job.due = now, _next(job, now, random)
        found = {id(job) for job in looked if job.ends <= now}
        waiting = [job for job in waiting if id(job) not in found]
    return sent / now, lags


def simulated(seeds: int) -> None:
    """Half the looks that are wanted, in both orders, over several seeds."""
    wanted = mean(under_a_budget(None, by_age, seed)[0] for seed in range(seeds))
    rows: list[tuple[str, float | None, Callable[[Simulated, float], float]]]
    rows = [("all that are wanted", None, by_age)]
    rows += [
        (f"half, {name}", wanted / 2, order) for name, order in (("by age", by_age), ("by value", by_value))
    ]
    for words, rate, order in rows:
        runs = [under_a_budget(rate, order, seed) for seed in range(seeds)]
        per_kind = [f"{kind.name} {mean(mean(lags[kind.name]) for _, lags in runs):.1f}" for kind in kinds()]
        every = [[lag for lags in told.values() for lag in lags] for _, told in runs]
        p95, p99 = (mean(quantiles(one, n=100)[at] for one in every) for at in (94, 98))
        print(
            f"{words:<20} {mean(sent for sent, _ in runs):.2f} looks/s  lag {mean(map(mean, every)):.1f}"
            f" p95 {p95:.0f} p99 {p99:.0f} most {max(map(max, every)):.0f} s  ({'; '.join(per_kind)})",
            flush=True,
        )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rates", type=float, nargs="*", default=[5.0, 20.0])
    parser.add_argument("--jobs", type=int, default=1_000, help="of each provider")
    parser.add_argument("--sandbox", action="store_true", help="real requests, in real time")
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    for rate in options.rates:
        at_a_rate(rate, options.jobs, sandbox=options.sandbox)
    if options.seeds:
        simulated(options.seeds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
