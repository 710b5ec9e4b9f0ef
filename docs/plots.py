"""The plots of `docs/explanation/cadence.md`: each is computed by the code that it explains."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from random import Random

import numpy as np

from docs.svg import Axis, Panel, Point, picture, steps
from orchestrator.core.learned.density import Floats
from orchestrator.core.learned.endings import Endings
from orchestrator.core.learned.estimate import ENOUGH_JOBS, schedule_of
from orchestrator.core.learned.grid import BINS, EDGES
from orchestrator.core.learned.hooks import Health, Hooks
from orchestrator.core.learned.induction import NOTHING_HEARD, Hearing, hearing, plan
from orchestrator.core.learned.lessons import CLOSE_NARROW
from orchestrator.core.learned.outlook import NextAge, Outlook, by_guidance, by_net, by_plan, follow
from orchestrator.core.learned.shapes import shape_of

PLOTS = Path(__file__).parent / "explanation" / "plots"
SHAPES = {
    "narrow": "normal:90:8",
    "log-normal": "lognormal:60:0.5",
    "two humps": "mix:0.5*normal:40:4+0.5*normal:240:24",
    "heavy tail": "lognormal:60:1.1",
}
FLOOR, WORTH, LONGEST = 20.0, 20.0, 900.0
LOST = 0.02
NETS = (30, 60, 120, 300, 600, 900)
WORTHS = (1, 2, 5, 10, 20, 50, 100, 200)
NEARLY_ALL = 0.9999  # of the jobs have ended: what is done with the others is not shown
STOPPED, BACK = 199, 230  # webhooks awaited until they stop, and until they come again
INSTANT = hearing(LOST, shape_of("exactly:0"))


@cache
def pages() -> dict[Path, str]:
    """Every plot."""
    drawn = {
        "next-look": _next_look(),
        "trade-off": _trade_off(),
        "silence": _silence(),
        "learning": _learning(),
    }
    return {PLOTS / f"{name}.svg": text + "\n" for name, text in drawn.items()}


def _planned(endings: Floats, heard: Hearing, worth: float = WORTH) -> NextAge:
    made = plan(endings, heard, floor=FLOOR, request_seconds=worth, longest=LONGEST)
    return by_plan(made, FLOOR, LONGEST)


def _next_look() -> str:
    """How long to wait, by the age at which a job was last seen running."""
    panels = []
    for number, (name, shape) in enumerate(SHAPES.items()):
        column, row = number % 2, number // 2
        x = Axis(0, 400, "age when last seen running, s", (0, 100, 200, 300, 400))
        y = Axis(0, 400, "seconds until the next look", (0, 100, 200, 300, 400))
        panel = Panel(60 + 370 * column, 66 + 270 * row, 300, 170, x, y, name)
        endings = shape_of(shape)
        panel.area(_bell(endings))
        last = min(_age(endings, NEARLY_ALL), 400.0)
        for look, heard in (("a", NOTHING_HEARD), ("b", INSTANT)):
            next_age = _planned(endings, heard)
            waits = [(age, next_age(age) - age) for age in EDGES[:BINS] if age <= last]
            panel.line(steps(waits), look)
            panel.mark((0.0, next_age(0.0)), look)
        panels.append(panel)
    legend = (("a", "without webhooks"), ("b", f"webhooks at once, {LOST:.0%} lost"))
    told = (
        "Four panels, one for each distribution of ending ages, shown as a pale hill. A line tells how "
        "long to wait for the next look by the age at which the job was last seen running. Without webhooks "
        "the wait falls towards the hill to the gateway's 20 seconds and rises beyond it; with webhooks it "
        "reaches past the hill from the beginning. Between two humps it rises: nobody looks where nothing "
        "ends."
    )
    return picture(760, 600, panels, legend, "When to look next", told)


def _bell(endings: Floats) -> list[Point]:
    """The density, as high as it fits."""
    wide = [(EDGES[i], EDGES[i + 1], float(endings[i])) for i in range(BINS) if 1.0 <= EDGES[i] <= 400]
    dense = [((low + high) / 2, share / (high - low)) for low, high, share in wide]
    most = max(share for _, share in dense)
    return [(age, 150 * share / most) for age, share in dense]


def _trade_off() -> str:
    """Requests against lag: each way of looking, over the one number that it has."""
    panels = []
    endings = shape_of(SHAPES["log-normal"])
    worlds = (("without webhooks", NOTHING_HEARD), (f"webhooks at once, {LOST:.0%} of them lost", INSTANT))
    for number, (name, heard) in enumerate(worlds):
        few = heard is not NOTHING_HEARD
        x = (
            Axis(0.01, 10, "requests a job", (0.01, 0.1, 1, 10), logarithmic=True)
            if few
            else Axis(0.7, 5, "requests a job", (1, 2, 3, 4, 5), logarithmic=True)
        )
        y = (
            Axis(0.1, 30, "mean lag, s", (0.1, 0.3, 1, 3, 10, 30), logarithmic=True)
            if few
            else Axis(5, 1000, "mean lag, s", (10, 30, 100, 300, 1000), logarithmic=True)
        )
        panel = Panel(60 + 370 * number, 66, 300, 240, x, y, name)
        nets = [_cost(endings, heard, by_net(seconds)) for seconds in NETS]
        rule = [_cost(endings, heard, _planned(endings, heard, worth)) for worth in WORTHS]
        panel.line(nets, "b")
        panel.line(rule, "a")
        for seconds, point in zip(NETS, nets, strict=True):
            panel.mark(point, "b", f"{seconds}" if seconds in (60, 300, 900) else "")
        for worth, point in zip(WORTHS, rule, strict=True):
            panel.mark(point, "a", f"{worth}" if worth in (1, 20, 200) else "", (-6, 16))
        panel.mark(_cost(endings, heard, by_guidance(FLOOR)), "c", "guidance", (-56, -8))
        panels.append(panel)
    legend = (("a", "this rule, by what a request is worth, s"), ("b", "fixed spacing, s"), ("c", "guidance"))
    told = (
        "Two panels with requests a job on one axis and mean lag on the other, both logarithmic, for "
        "log-normal ending ages. The line of the learned rule lies below and left of that of fixed spacings: "
        "at the same number of requests it has less lag. The guidance is a point with more requests."
    )
    return picture(760, 380, panels, legend, "Requests against lag", told)


def _cost(endings: Floats, heard: Hearing, next_age: NextAge) -> Point:
    told = follow(endings, heard, next_age)
    return told.requests, told.lag_mean


def _silence() -> str:
    """What is taken for lost, and how the channel is said to do, while webhooks stop and come again."""
    outcomes = ("1" * 49 + "0") * 4 + "0" * (BACK - STOPPED - 1) + "1" * 70
    hooks, lost, health = Hooks(), [], []
    for number, outcome in enumerate(outcomes, 1):
        if outcome == "1":
            hooks.learn_came(float(number))
        else:
            hooks.learn_missed()
        health.append(hooks.judge(float(number)))
        lost.append((float(number), hooks.lost()))
    x = Axis(150, 300, "webhooks awaited", (150, 175, 200, 225, 250, 275, 300))
    y = Axis(0, 1, "share taken for lost", (0, 0.25, 0.5, 0.75, 1))
    panel = Panel(60, 66, 660, 220, x, y, f"Webhooks stop after {STOPPED}, and come again after {BACK}")
    for verdict, began, ended in _spells(health):
        if verdict in _GROUNDS and ended > 150:
            panel.area([(began, 1.0), (ended, 1.0)], _GROUNDS[verdict])
            panel.says((began + 1, 0.5), verdict if ended - began > 3 else "")
    panel.line(steps(lost[149:]), "a")
    silent, back = next((begun, over) for verdict, begun, over in _spells(health) if verdict is Health.SILENT)
    told = (
        f"The share of webhooks taken for lost lies near {LOST:.0%} until webhooks stop. Within a handful of "
        f"missed ones it jumps to all of them; after {silent + 1 - STOPPED} the channel is called silent. "
        f"Once {back + 1 - BACK} came again the channel is believed again, and the share is small."
    )
    return picture(760, 350, [panel], (("a", "share taken for lost"),), "Webhooks stop and come again", told)


_GROUNDS = {Health.SILENT: "silent", Health.DEGRADED: "ill"}


def _spells(health: list[Health]) -> Iterator[tuple[Health, int, int]]:
    """Each verdict, and from where to where it stood."""
    number = 0
    for verdict, same in groupby(health):
        began, number = number, number + len([*same])
        yield verdict, began, number


def _learning() -> str:
    """Requests and lag of a job by what was learned from so many jobs."""
    ended = Axis(1, 1000, "jobs ended", (1, 10, 100, 1000), logarithmic=True)
    requests = Axis(0, 6, "requests a job", (0, 1, 2, 3, 4, 5, 6))
    times = Axis(1, 4, "times the cost of knowing the truth", (1, 1.25, 1.5, 2, 3, 4), logarithmic=True)
    panels = [
        Panel(60, 66, 300, 220, ended, requests, "Requests fall,"),
        Panel(430, 66, 300, 220, ended, times, "and so does the cost, lag counted"),
    ]
    legend = (("a", "narrow"), ("b", "log-normal"), ("c", "heavy tail"))
    for look, name in legend:
        endings = shape_of(SHAPES[name])
        best = follow(endings, NOTHING_HEARD, _planned(endings, NOTHING_HEARD)).cost(WORTH)
        points = _learned(endings, Random(6))  # noqa: S311
        panels[0].line(steps([(number, told.requests) for number, told in points]), look)
        panels[1].line(steps([(number, told.cost(WORTH) / best) for number, told in points]), look)
    told = (
        "Two panels against the number of ended jobs, on a logarithmic axis, for three shapes of ending ages "
        "without webhooks. Until twenty jobs have ended the guidance is followed; then requests a job fall "
        "most of the way at once, and the cost comes to within a tenth of the best after some fifty jobs."
    )
    return picture(760, 360, panels, legend, "What a job costs as jobs are learned", told)


def _learned(endings: Floats, chance: Random) -> list[tuple[float, Outlook]]:
    """Jobs are looked at by what was learned from those before them, and teach what those looks see."""
    known, next_age, rebuilt_at = Endings(), by_guidance(FLOOR), 0
    points = [(1.0, follow(endings, NOTHING_HEARD, next_age))]
    for number in range(1, 1001):
        low, high = _seen(_age(endings, chance.random()), next_age)
        known.learn(began_at=float(number), low=low, high=high, narrow=high - low <= CLOSE_NARROW)
        if number < max(1.2 * rebuilt_at, ENOUGH_JOBS):
            continue
        rebuilt_at = number
        found = schedule_of(known, None, now=0.0, floor=FLOOR, request_seconds=WORTH, longest=LONGEST)
        assert found.pace.plan is not None
        next_age = by_plan(found.pace.plan, FLOOR, LONGEST)
        points.append((float(number), follow(endings, NOTHING_HEARD, next_age)))
    return [*points, (1000.0, points[-1][1])]


def _age(endings: Floats, share: float) -> float:
    """The age by which this share has ended."""
    return float(np.interp(share, np.concatenate(([0.0], np.cumsum(endings[:BINS]))), EDGES))


def _seen(end: float, next_age: NextAge) -> Point:
    """The ages between which looks see a job end."""
    before, look = 0.0, next_age(0.0)
    while look < end:
        before, look = look, next_age(look)
    return before, look
