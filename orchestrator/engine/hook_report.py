"""What trusting the webhooks would save and risk against the gateway's guidance, from what was learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from orchestrator.core.learned import outlook
from orchestrator.core.learned.classes import ANY_SIZE, parts
from orchestrator.core.learned.density import Floats, delays_of, density
from orchestrator.core.learned.endings import Endings, read_endings
from orchestrator.core.learned.estimate import ENOUGH_JOBS, endings_of, hearing_of
from orchestrator.core.learned.grid import BINS, EDGES
from orchestrator.core.learned.hooks import BOUND, ENOUGH, SILENT_AFTER, Hooks, share
from orchestrator.core.learned.induction import NOTHING_HEARD, hearing, plan
from orchestrator.core.learned.outlook import Outlook
from orchestrator.core.learned.spans import together
from orchestrator.engine import hook_health
from orchestrator.engine.context import Context
from orchestrator.engine.hook_health import Standing
from orchestrator.engine.legible import legible
from orchestrator.settings import Settings
from orchestrator.store import estimates
from orchestrator.store.estimates import EstimateKind

QUANTILES = (0.5, 0.9, 0.99)
MOSTLY = 0.5


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one job, in the mean: requests, and seconds between its end and our knowing of it."""

    requests: float
    lag_mean: float
    lag_p95: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What jobs of a class cost.

    `at_worst`: with as many webhooks lost as the upper bound says; `if_none_came`: until that is noticed.
    """

    name: str
    jobs: float
    by_guidance: Cost
    trusting: Cost
    at_worst: Cost
    if_none_came: Cost


@dataclass(frozen=True, slots=True)
class Report:
    """About one channel. `lost` is the share that never came, with the bounds that hold 95 times of 100.

    `delays` are in seconds after the end, by the share of webhooks that came so soon; None: not known.
    `delays_known` of `delays_seen` were not caused by our own looks.
    """

    standing: Standing
    awaited: float
    came: float
    missed: float
    lost: tuple[float, float, float]
    patience: float
    delays: dict[str, float | None]
    delays_known: float
    delays_seen: float
    evidence: Mapping[str, int]
    classes: list[Comparison]
    unknown: list[str]


def report(context: Context) -> list[Report]:
    """About every channel of which something is known."""
    with context.store.read() as tx:
        channels = list(hook_health.every(tx))
        rows = estimates.of_kind(tx, EstimateKind.ENDINGS)
    endings = {
        name: legible(read_endings, data) for name, data in rows.items() if parts(name)[-1] != ANY_SIZE
    }
    return [_about(name, hooks, endings, context.settings) for name, hooks in channels]


def _about(name: str, hooks: Hooks, endings: Mapping[str, Endings], settings: Settings) -> Report:
    standing = hook_health.standing(name, hooks)
    # Of the endpoint as a whole: its providers' classes are told with the providers.
    ours = {} if standing.provider is None else _of_provider(endings, standing.provider)
    known = {one: its for one, its in ours.items() if its.ended >= ENOUGH_JOBS}
    assessable = hearing_of(hooks) is not NOTHING_HEARD
    compared = [_compared(one, its, hooks, settings) for one, its in known.items()] if assessable else []
    return Report(
        standing=standing,
        awaited=hooks.judged,
        came=hooks.came,
        missed=hooks.missed,
        lost=_lost(hooks),
        patience=hooks.patience,
        delays=_delays(hooks),
        delays_known=hooks.delays.ended,
        delays_seen=hooks.delays.total,
        evidence=dict(hooks.evidence),
        classes=compared,
        unknown=_unknown(hooks, len(ours) - len(known)),
    )


def _of_provider(endings: Mapping[str, Endings], provider: str) -> dict[str, Endings]:
    return {name: its for name, its in endings.items() if parts(name)[0] == provider}


def _lost(hooks: Hooks) -> tuple[float, float, float]:
    seen = hooks.missed / hooks.judged if hooks.judged else 0.0
    return share(hooks.missed, hooks.judged, -BOUND), seen, share(hooks.missed, hooks.judged, BOUND)


def _delays(hooks: Hooks) -> dict[str, float | None]:
    if hooks.delays.ended < 1:
        return {f"p{100 * one:.0f}": None for one in QUANTILES}
    below = np.cumsum(delays_of(hooks.delays)[:BINS])
    return {f"p{100 * one:.0f}": _quantile(below, one) for one in QUANTILES}


def _quantile(below: Floats, wanted: float) -> float | None:
    """The upper edge of the bin it lies in; None where more than that are only known to be later."""
    at = int(np.searchsorted(below, wanted - 1e-9))
    return EDGES[at + 1] if at < BINS else None


def _compared(name: str, endings: Endings, hooks: Hooks, settings: Settings) -> Comparison:
    floor = endings.hint or settings.poll_after_seconds
    made = plan(
        endings_of(endings),
        hearing_of(hooks),
        floor=floor,
        request_seconds=settings.request_worth_seconds,
        longest=settings.longest_spacing_seconds,
        jobs=endings.ended,
    )
    # As they were, without what the plan adds for not knowing better.
    were = density(together(one.evidence for one in endings.cohorts), prior_jobs=0.0)
    learned = outlook.by_plan(made, floor, settings.longest_spacing_seconds)
    _, seen, high = _lost(hooks)
    late = delays_of(hooks.delays)
    return Comparison(
        name=name,
        jobs=endings.ended,
        by_guidance=_cost(outlook.follow(were, NOTHING_HEARD, outlook.by_guidance(floor))),
        trusting=_cost(outlook.follow(were, hearing(seen, late), learned)),
        at_worst=_cost(outlook.follow(were, hearing(high, late), learned)),
        if_none_came=_cost(outlook.follow(were, NOTHING_HEARD, learned)),
    )


def _cost(found: Outlook) -> Cost:
    return Cost(found.requests, found.lag_mean, found.lag_p95)


def _unknown(hooks: Hooks, classes_with_few: int) -> list[str]:
    """What the numbers cannot say."""
    found = []
    if hooks.judged < ENOUGH:
        found.append(f"too few: {hooks.judged:.0f} webhooks were awaited, {ENOUGH} are the least to go by")
    caused = hooks.delays.total - hooks.delays.ended
    if hooks.judged >= ENOUGH and hooks.delays.ended < ENOUGH / 2:
        found.append(
            f"how late webhooks come: all but {hooks.delays.ended:.0f} were caused by our own looks, which "
            "ask the gateway before it would have told; of the jobs with `updates` hybrid some are left "
            "alone to learn it"
        )
    elif caused > MOSTLY * hooks.delays.total:
        share_of_all = f"{caused:.0f} of {hooks.delays.total:.0f}"
        found.append(f"how late those would have come that our own looks caused, {share_of_all}")
    if classes_with_few:
        found.append(f"when jobs of {classes_with_few} more classes end: fewer than {ENOUGH_JOBS} did so far")
    found.append(
        "a provider that the gateway itself looks at only every five minutes: there it tells late what "
        "nobody asked about, and the lag from the real end shows only as far as an end is known"
    )
    found.append(
        "the future: should webhooks stop, jobs cost as in `if none came` until so many in a row are missed, "
        f"{SILENT_AFTER} or more, that it is not chance, and are then looked at by the guidance"
    )
    return found
