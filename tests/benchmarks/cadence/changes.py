"""Worlds that change meanwhile: webhooks that stop and come again, jobs that take longer."""

import argparse
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import Any

from tests.benchmarks.cadence.drawn import Cell, optimum
from tests.benchmarks.cadence.processes import Run, Told, cost_of, running
from tests.benchmarks.hook_to_file import percentile

NAMES = ("stopped", "thrice")
STOPPED_AFTER, STOPPED_FOR, AND_THEN = 60.0, 180.0, 180.0  # seconds of this machine
WINDOW = 10.0  # likewise
NEAR = 1.3  # times the guidance's p95: then it is back
BLOCK = 200  # jobs
Numbers = dict[str, Any]


def measure(name: str, given: argparse.Namespace) -> Numbers:
    """One of them, under the guidance and as learned."""
    return {"stopped": _stopped, "thrice": _thrice}[name](given)


def told(found: Numbers) -> str:
    """The same for people."""
    return (_told_stopped if found["row"] == "stopped" else _told_thrice)(found)


def _stopped(given: argparse.Namespace) -> Numbers:
    """Webhooks come at once, then none leaves, then they come again; jobs end at a steady rate meanwhile."""
    with ThreadPoolExecutor(given.together) as pool:
        runs = dict(
            zip(
                ("guidance", "learned"),
                pool.map(lambda policy: _while_stopped(policy, given), ("guidance", "learned")),
                strict=True,
            )
        )
    by_guidance = percentile([one.lag for at, one in runs["guidance"] if 0 <= at < STOPPED_FOR], 0.95)
    windows = {policy: _windows(some) for policy, some in runs.items()}
    return {
        "row": "stopped",
        "factor": given.factor,
        "ends_per_second": round(sum(0 <= at < STOPPED_FOR for at, _ in runs["learned"]) / STOPPED_FOR, 1),
        "guidance_p95": round(by_guidance, 1),
        "back_after": _back_after(windows["learned"], NEAR * by_guidance),
        "windows": windows,
        "below_floor": sum(one.below_floor for some in runs.values() for _, one in some),
    }


def _while_stopped(policy: str, given: argparse.Namespace) -> list[tuple[float, Told]]:
    """Each job with when it ended, in seconds after the webhooks stopped."""
    lasts = STOPPED_AFTER + STOPPED_FOR + AND_THEN
    cell = Cell("log-normal", "instant")
    drawn = cell.draw(given.learn + int(lasts * given.rate), given.seed)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), policy, given.factor) as run:
        cold = run.submit(drawn[: given.learn], given.rate, polled=False)
        run.settle(cold, 0.95)
        began = time.time()
        switching = threading.Thread(target=_switch, args=(run, began + STOPPED_AFTER))
        switching.start()
        ids = run.submit(drawn[given.learn :], given.rate, polled=False)
        switching.join()
        run.settle(ids)
        return [(one.ended_at - began - STOPPED_AFTER, one) for one in run.told(ids)]


def _switch(run: Run, stop_at: float) -> None:
    time.sleep(max(stop_at - time.time(), 0.0))
    run.sandbox.faults(hooks_stopped=True)
    time.sleep(STOPPED_FOR)
    run.sandbox.faults(hooks_stopped=False)


def _windows(some: Sequence[tuple[float, Told]]) -> list[Numbers]:
    """Requests and lag of the jobs that ended in each ten seconds, from a minute before the stop."""
    found = []
    at = -STOPPED_AFTER
    while at < STOPPED_FOR + AND_THEN:
        inside = [one for ended, one in some if at <= ended < at + WINDOW]
        if inside:
            lags = [one.lag for one in inside]
            requests = round(fmean(one.requests for one in inside), 3)
            p95, mean = round(percentile(lags, 0.95), 1), round(fmean(lags), 1)
            found.append({"at": at, "jobs": len(inside), "requests": requests, "lag": mean, "p95": p95})
        at += WINDOW
    return found


def _back_after(windows: Sequence[Numbers], most: float) -> float | None:
    """Seconds after the stop from which no window's p95 is above this, while webhooks are stopped."""
    inside = [one for one in windows if 0 <= one["at"] < STOPPED_FOR]
    beyond = [one["at"] for one in inside if one["p95"] > most]
    back = max(beyond) + WINDOW if beyond else 0.0
    return back if back < STOPPED_FOR else None


def _told_stopped(found: Numbers) -> str:
    guided = {one["at"]: one for one in found["windows"]["guidance"]}
    lines = [
        f"webhooks stop at 0 s and come again at {STOPPED_FOR:g} s",
        f"{found['ends_per_second']} ends a second; time {found['factor']:g} times as fast",
        "| jobs that ended from, s | requests | lag | p95 | guidance: requests | lag | p95 |",
        "|---:" * 7 + "|",
    ]
    for one in found["windows"]["learned"]:
        other = guided.get(one["at"], {})
        cells = [one["at"], one["requests"], one["lag"], one["p95"]]
        cells += [other.get(name, "") for name in ("requests", "lag", "p95")]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    back = found["back_after"]
    when = "not while they were stopped" if back is None else f"{back:g} s after they stopped"
    lines.append(f"p95 within {NEAR} of the guidance's {found['guidance_p95']}: {when}")
    return "\n".join(lines)


def _thrice(given: argparse.Namespace) -> Numbers:
    """Jobs without webhooks suddenly take three times as long: what each block of them cost, at best 1."""
    usual, longer = Cell("log-normal"), Cell("log-normal", times=3.0)
    before = [(usual, given.learn), (usual, BLOCK), (longer, BLOCK), (longer, BLOCK), (longer, BLOCK)]
    blocks, below = [], 0
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), "learned", given.factor) as run:
        for number, (cell, count) in enumerate(before):
            drawn = cell.draw(count, given.seed + number)
            ids = run.submit(drawn, given.rate, polled=True)
            run.settle(ids)
            some = run.told(ids)
            cost, best = cost_of(some, run.lists() / count).mean, optimum(cell, drawn).mean
            numbers = {"times": cell.times, "jobs": count, "cost": round(cost, 2), "optimum": round(best, 2)}
            blocks.append(numbers | {"ratio": round(cost / best, 3)})
            below += sum(one.below_floor for one in some)
    return {"row": "thrice", "factor": given.factor, "blocks": blocks, "below_floor": below}


def _told_thrice(found: Numbers) -> str:
    heads = ("times", "jobs", "cost", "optimum", "ratio")
    lines = ["| take so many times as long | jobs | cost | optimum | ratio |", "|---:" * 5 + "|"]
    lines += ["| " + " | ".join(str(block[head]) for head in heads) + " |" for block in found["blocks"]]
    return "\n".join(lines)
