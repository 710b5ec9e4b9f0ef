"""What is counted in the made-up worlds."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from orchestrator.core.learned.estimate import schedule_of
from orchestrator.core.learned.paces import Why
from tests.benchmarks.cadence.others import by_guidance, by_net, by_truth, follow
from tests.benchmarks.cadence.run import CHANNEL, CLASS, Run, Told
from tests.benchmarks.cadence.worlds import HINT, SHAPES, Fate, World, fates

__all__ = ["HOOKS", "SHAPES", "cell", "slower", "stop", "table", "worth"]

HOOKS = (
    ("none", 0.0),
    ("instant", 0.0),
    ("instant", 0.02),
    ("instant", 0.2),
    ("late", 0.0),
    ("late", 0.02),
    ("late", 0.2),
)
C = 20.0
LONGEST = 900.0
NET = 300.0
EXPLORING = (Why.LEFT_ALONE, Why.CLOSELY)
Pairs = Sequence[tuple[int, float]]


def cell(shape: str, hooks: str, loss: float, *, seeds: int, jobs: int) -> dict[str, Any]:
    """One cell: what each policy needs of the same jobs, cold and after it has learned."""
    world = World(SHAPES[shape], hooks, loss)
    policies = {
        "guidance": by_guidance,
        "net": by_net(NET),
        "truth": by_truth(world, C, LONGEST),
    }
    cold: list[float] = []
    after: dict[str, list[tuple[int, float]]] = {name: [] for name in ("rule", *policies)}
    early: dict[str, list[tuple[int, float]]] = {"rule": [], "truth": []}
    exploring, below = [0.0, 0.0], 0
    for seed in range(seeds):
        made = fates(world, seed, jobs, 1.0)
        told = _told(Run(world, made, worth=C, seed=seed))
        others = {name: follow(made, policy) for name, policy in policies.items()}
        below += sum(one.too_early for one in told)
        first = slice(0, 1_000)
        cold.append(_cost(_pairs(told[first])) / _cost(others["guidance"][first]))
        for number, one in enumerate(told):
            if 100 <= one.learned < 300:
                early["rule"].append((one.requests, one.lag))
                early["truth"].append(others["truth"][number])
            if one.learned >= 1_000:
                after["rule"].append((one.requests, one.lag))
                for name, pairs in others.items():
                    after[name].append(pairs[number])
                if one.why in EXPLORING:
                    exploring = [exploring[0] + 1, exploring[1] + one.requests * C + one.lag]
    row: dict[str, Any] = {"ends": shape, "hooks": hooks, "lost": loss}
    for name, pairs in after.items():
        row[name] = _summary(pairs)
    rule, truth = _cost(after["rule"]), _cost(after["truth"])
    row |= {
        "cost rule/truth": f"{rule:.2f}/{truth:.2f}",
        "after 1000": rule / truth,
        "after 100": _cost(early["rule"]) / _cost(early["truth"]),
        "cold/guidance": statistics.mean(cold),
        "its upper 95 %": _upper(cold),
        "exploring": _explored(exploring[0], exploring[1], len(after["rule"])),
        "below floor": below,
    }
    return row


def _explored(jobs: float, cost: float, of: int) -> str:
    """The share of jobs that explored, and what they cost, spread over all."""
    return f"{jobs / of:.2%}, {cost / of:.2f} s/job"


def worth(c: float, *, seeds: int, jobs: int) -> dict[str, Any]:
    """Narrow ends without webhooks at another worth of a request: how much lag fewer requests cost."""
    world = World(SHAPES["narrow"], "none", 0.0)
    rule, guidance = [], []
    for seed in range(seeds):
        made = fates(world, seed, jobs, 1.0)
        told = _told(Run(world, made, worth=c, seed=seed))
        others = follow(made, by_guidance)
        for number, one in enumerate(told):
            if one.learned >= 1_000:
                rule.append((one.requests, one.lag))
                guidance.append(others[number])
    requests, lag = np.array(rule).mean(axis=0) / np.array(guidance).mean(axis=0)
    return {
        "c": c,
        "rule": _summary(rule),
        "guidance": _summary(guidance),
        "requests/guidance": float(requests),
        "lag/guidance": float(lag),
    }


def stop(shape: str, *, seeds: int, every: float = 0.2, stops_at: float = 600.0) -> dict[str, Any]:
    """Webhooks stop dead when five jobs a second end; and come again ten minutes later."""
    world, again = World(SHAPES[shape], "instant", 0.0), stops_at + 600.0
    windows = [(0, 30), (30, 60), (60, 90), (90, 120), (120, 300), (300, 600)]
    lags: dict[tuple[int, int], list[float]] = {window: [] for window in windows}
    guidance: list[float] = []
    noticed, back = [], []
    for seed in range(seeds):
        made = fates(world, seed, int((again + 900.0) / every), every)
        run = Run(world, made, worth=C, seed=seed, stopped=(stops_at, again))
        told = _told(run)
        for one in told:
            ended = one.fate.began_at + one.fate.ends - stops_at
            for low, high in windows:
                if low <= ended < high:
                    lags[low, high].append(one.lag)
        silent = [at for at, health in run.healths if health == "silent"]
        noticed += [silent[0] - stops_at] if silent else []
        back += [at - again for at, health in run.healths if health == "healthy" and at > again][:1]
        unheard = [_unheard(fate) for fate in made[:1_000]]
        guidance += [lag for _, lag in follow(unheard, by_guidance)]
    row: dict[str, Any] = {"ends": shape, "guidance p95": float(np.quantile(guidance, 0.95))}
    row |= {f"p95 {low}-{high} s": float(np.quantile(found, 0.95)) for (low, high), found in lags.items()}
    row |= {
        "silent after": statistics.median(noticed),
        "healthy after": statistics.median(back) if back else "-",
    }
    return row


def _unheard(fate: Fate) -> Fate:
    return Fate(fate.began_at, fate.ends, None, True, fate.travels, fate.luck)


def slower(shape: str, hooks: str, loss: float, factor: float, *, seeds: int) -> dict[str, Any]:
    """From the 1,200th job on they take so many times as long: cost against who knows it at once.

    Windows are of jobs that began when so many of those had ended.
    """
    changed = 1_200
    world, then = World(SHAPES[shape], hooks, loss), World(SHAPES[shape].times(factor), hooks, loss)
    windows = [(0, 1), (1, 50), (50, 200), (200, 600)]
    rule: dict[tuple[int, int], list[tuple[int, float]]] = {window: [] for window in windows}
    truth: dict[tuple[int, int], list[tuple[int, float]]] = {window: [] for window in windows}
    for seed in range(seeds):
        made = fates(world, seed, changed + 1_600, 1.0, slower=(changed, factor))
        told, known = _told(Run(world, made, worth=C, seed=seed)), follow(made, by_truth(then, C, LONGEST))
        ended = sorted(fate.began_at + fate.ends for fate in made[changed:])
        for one, best in list(zip(told, known, strict=True))[changed:]:
            before = bisect_left(ended, one.fate.began_at)
            for low, high in windows:
                if low <= before < high:
                    rule[low, high].append((one.requests, one.lag))
                    truth[low, high].append(best)
    row: dict[str, Any] = {"ends": shape, "hooks": hooks, "lost": loss, "times": factor}
    return row | {
        f"{low}-{high} ended": _cost(rule[low, high]) / _cost(truth[low, high]) for low, high in windows
    }


def table() -> dict[str, Any]:
    """How long it takes to make a table of what 2,000 jobs told."""
    world = World(SHAPES["heavy tail"], "instant", 0.02)
    run = Run(world, fates(world, 1, 2_000, 1.0), worth=C)
    run.go()
    known = run.known.endings[CLASS], run.known.hooks[CHANNEL]
    took = []
    for _ in range(50):
        began = perf_counter()
        schedule_of(*known, now=0.0, floor=HINT, request_seconds=C, longest=LONGEST)
        took.append(1_000 * (perf_counter() - began))
    return {"table, ms median": statistics.median(took), "longest": max(took)}


def _told(run: Run) -> list[Told]:
    return sorted(run.go(), key=lambda one: one.fate.began_at)


def _pairs(told: Iterable[Told]) -> list[tuple[int, float]]:
    return [(one.requests, one.lag) for one in told]


def _cost(pairs: Pairs) -> float:
    return sum(requests * C + lag for requests, lag in pairs) / max(len(pairs), 1)


def _summary(pairs: Pairs) -> str:
    """Requests a job, and lag: mean, median, p95, p99."""
    lags = [lag for _, lag in pairs]
    p50, p95, p99 = np.quantile(lags, (0.5, 0.95, 0.99))
    requests = sum(one for one, _ in pairs) / len(pairs)
    return f"{requests:.3f}; {statistics.mean(lags):.1f} {p50:.1f} {p95:.1f} {p99:.0f}"


def _upper(values: Sequence[float]) -> float:
    if len(values) < 2:
        return float("nan")
    return float(statistics.mean(values) + 1.96 * statistics.stdev(values) / math.sqrt(len(values)))
