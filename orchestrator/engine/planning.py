"""What jobs would cost by each way of looking at them: guidance, fixed safety nets, and what is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.core.learned import classes
from orchestrator.core.learned.density import Floats, density
from orchestrator.core.learned.endings import Endings, read_endings
from orchestrator.core.learned.estimate import endings_of, hearing_of
from orchestrator.core.learned.hooks import Hooks, read_hooks
from orchestrator.core.learned.induction import NOTHING_HEARD, Hearing, hearing, plan
from orchestrator.core.learned.outlook import (
    NextAge,
    Outlook,
    by_guidance,
    by_net,
    by_plan,
    follow,
    looks_of,
)
from orchestrator.core.learned.plan import Plan
from orchestrator.core.learned.shapes import mean_of, shape_of
from orchestrator.core.learned.spans import together
from orchestrator.engine.legible import legible
from orchestrator.errors import NotFound
from orchestrator.store import estimates
from orchestrator.store.database import Transaction
from orchestrator.store.estimates import EstimateKind

FIRST_LOOKS = 4
NEARLY_ALL = 0.999  # have ended: the looks after that are not told
AT_ONCE = shape_of("exactly:0")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is asked of every way: the gateway's hint, the worth of a request, the widest spacing; seconds."""

    floor: float
    worth: float
    longest: float


@dataclass(frozen=True, slots=True)
class World:
    """When jobs end and how webhooks come.

    The rule is made from what it believes, which is more cautious where it was learned. `jobs` is how many
    ended ones it rests on, 0 for a person's word; `said` tells in words what it is.
    """

    endings: Floats
    heard: Hearing
    believed_endings: Floats
    believed_heard: Hearing
    jobs: float
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """One way of looking, and what a job costs by it. `first_looks` are ages of a job not heard of."""

    name: str
    outlook: Outlook
    first_looks: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Prospect:
    """Every way in one world. `duration` is how long a job runs in the mean, in seconds."""

    ways: tuple[Way, ...]
    duration: float


def assumed(durations: Floats, *, lost: float | None, delays: Floats | None) -> World:
    """A world as a person describes it; without a loss and a delay no webhooks are awaited."""
    if lost is None and delays is None:
        return World(durations, NOTHING_HEARD, durations, NOTHING_HEARD, 0.0, ("no webhooks",))
    heard = hearing(lost or 0.0, AT_ONCE if delays is None else delays)
    late = "at once" if delays is None else f"{mean_of(delays):.0f} s late in the mean"
    return World(
        durations, heard, durations, heard, 0.0, (f"webhooks {late}, {lost or 0.0:.1%} of them lost",)
    )


def remembered(
    tx: Transaction, *, model: str | None, provider: str | None, webhooks: World | None = None
) -> World:
    """The world as it was learned. Raises NotFound. `webhooks` of another world may stand for its own."""
    name, endings = _class_of(tx, model, provider)
    said: tuple[str, ...] = (f"{title(name)}: {endings.ended:.0f} jobs ended",)
    if webhooks is None:
        hooks = _hooks_of(tx, classes.parts(name)[0])
        heard, believed = hearing_of(hooks, deviations=0.0), hearing_of(hooks)
        said += (_told_of(hooks, heard),)
    else:
        heard, believed, said = webhooks.heard, webhooks.believed_heard, said + webhooks.said
    # As jobs ended, without the doubt that the rule allows for.
    ended = density(together(cohort.evidence for cohort in endings.cohorts), prior_jobs=0.0)
    return World(ended, heard, endings_of(endings), believed, endings.ended, said)


def prospect(world: World, bounds: Bounds, nets: Sequence[float]) -> Prospect:
    """What a job costs by each way."""
    made = learned_plan(world, bounds)
    ways = {"guidance": by_guidance(bounds.floor)}
    ways |= {f"every {one:g} s": by_net(one) for one in (max(seconds, bounds.floor) for seconds in nets)}
    ways["learned"] = by_plan(made, bounds.floor, bounds.longest)
    done = tuple(_way(name, world, next_age, made) for name, next_age in ways.items())
    return Prospect(done, mean_of(world.endings))


def learned_plan(world: World, bounds: Bounds) -> Plan:
    """The table that the rule would look up."""
    return plan(
        world.believed_endings,
        world.believed_heard,
        floor=bounds.floor,
        request_seconds=bounds.worth,
        longest=bounds.longest,
        jobs=world.jobs,
    )


def title(name: str) -> str:
    """A class of jobs, for people."""
    provider, model, size = classes.parts(name)
    return f"{model} at {provider}" + (f", {size}" if size else "")


def _way(name: str, world: World, next_age: NextAge, made: Plan) -> Way:
    until = next((age for age, ended in zip(made.ages, made.ended, strict=True) if ended >= NEARLY_ALL), 0.0)
    looks = looks_of(next_age, until)[:FIRST_LOOKS]
    return Way(name, follow(world.endings, world.heard, next_age), tuple(looks))


def _class_of(tx: Transaction, model: str | None, provider: str | None) -> tuple[str, Endings]:
    """The class of all sizes that most is known of, of this model and provider."""
    found = {
        name: legible(read_endings, data)
        for name, data in estimates.of_kind(tx, EstimateKind.ENDINGS).items()
    }
    wide = {name: one for name, one in found.items() if name == classes.wider(name)}
    fits = {name: one for name, one in wide.items() if _fits(name, model, provider)}
    if not fits:
        there = "; ".join(sorted({title(name) for name in wide})[:12]) or "nothing yet"
        meant = " at ".join(filter(None, (model or "any model", provider)))
        raise NotFound(
            f"nothing was learned of {meant}", hint=f"learned of: {there}; or give --durations of your own"
        )
    return max(fits.items(), key=lambda pair: pair[1].ended)


def _fits(name: str, model: str | None, provider: str | None) -> bool:
    its_provider, its_model, _ = classes.parts(name)
    wanted = (model or its_model, provider or its_provider)
    return (its_model, its_provider) == tuple(word.strip().lower() for word in wanted)


def _hooks_of(tx: Transaction, provider: str) -> Hooks | None:
    """Of the channels that webhooks about a provider's jobs came over, the one that most is known of."""
    found = [
        legible(read_hooks, data)
        for name, data in estimates.of_kind(tx, EstimateKind.HOOKS).items()
        if classes.parts(name)[1] == provider
    ]
    return max(found, key=lambda hooks: hooks.judged, default=None)


def _told_of(hooks: Hooks | None, heard: Hearing) -> str:
    if hooks is None:
        return "no webhooks were awaited"
    if heard is NOTHING_HEARD:
        return f"{hooks.judged:.0f} webhooks were judged, too few to rely on: taken as none"
    return (
        f"{hooks.judged:.0f} webhooks were judged, {hooks.lost(0.0):.1%} never came; the rule takes "
        f"{hooks.lost():.1%} for lost, to be cautious"
    )
