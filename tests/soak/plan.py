"""Which blow falls when: all of it follows from one seed, before anything starts."""

import random
from dataclasses import dataclass

WORKERS = ("worker 0", "worker 1", "worker 2")
WEBS = ("web 0", "web 1")
BEATS = ("beat 0", "beat 1")

CALM = 3.0  # seconds at the beginning without a blow
PAUSE = (2.0, 6.0)  # seconds from one blow to the next
RECOVERS = 1.0  # seconds that a target is left alone after a blow


@dataclass(frozen=True)
class Kind:
    """A way to strike: one of these targets, for some seconds between the two."""

    targets: tuple[str, ...]
    shortest: float = 0.0
    longest: float = 0.0
    weight: int = 1


KINDS = {
    "worker killed": Kind(WORKERS, 1, 5, weight=3),
    "worker terminated": Kind(WORKERS),
    "worker held": Kind(WORKERS, 2, 12, weight=2),
    "web killed": Kind(WEBS, 1, 5, weight=2),
    "web terminated": Kind(WEBS),
    "web held": Kind(WEBS, 2, 12),
    "beat killed": Kind(BEATS, 1, 5),
    "beat terminated": Kind(BEATS),
    "beat held": Kind(BEATS, 2, 12),
    "redis emptied": Kind(("redis",)),
    "redis killed": Kind(("redis",), 0, 6),
    "redis held": Kind(("redis",), 2, 8),
    "redis connections cut": Kind(("redis",)),
    "postgres restarted": Kind(("postgres",), 0, 3),
    "postgres crashed": Kind(("postgres",), 0, 3),
    "postgres held": Kind(("postgres",), 1, 5),
    "postgres connections cut": Kind(("postgres",)),
    "hooks lost": Kind(("hooks",), 3, 10),
    "hooks doubled": Kind(("hooks",), 3, 10),
    "hooks late": Kind(("hooks",), 3, 10),
    "hooks out of order": Kind(("hooks",), 3, 10),
    "hooks to the other web": Kind(("address",)),
    "looks at one provider answered 502": Kind(("gateway",), 3, 10),
    "looks answered 500": Kind(("gateway",), 2, 6),
    "gateway slow": Kind(("gateway",), 2, 6),
    "gateway cuts every answer": Kind(("gateway",), 2, 6),
    "create answers cut": Kind(("creates",), 2, 6),
    "create answers 500": Kind(("creates",), 2, 6),
}


@dataclass(frozen=True)
class Blow:
    """One blow: `at` and `until` are seconds from the beginning."""

    at: float
    kind: str
    target: str
    until: float


def plan(seed: int, seconds: float) -> list[Blow]:
    """The blows of a run, in order: all kinds before any comes again, none where the last one still lasts."""
    chance = random.Random(seed)
    blows: list[Blow] = []
    bag: list[str] = []
    free_at: dict[str, float] = {}
    at = CALM
    while at < seconds:
        bag = bag or _bag(chance)
        if (blow := _drawn(chance, bag, free_at, at)) is not None:
            blows.append(blow)
            bag.remove(blow.kind)
            free_at[blow.target] = blow.until + RECOVERS
        at += chance.uniform(*PAUSE)
    return blows


def _bag(chance: random.Random) -> list[str]:
    bag = [name for name, kind in KINDS.items() for _ in range(kind.weight)]
    chance.shuffle(bag)
    return bag


def _drawn(chance: random.Random, bag: list[str], free_at: dict[str, float], at: float) -> Blow | None:
    """The first of the bag for which there is a target that is well; None when there is none."""
    for name in bag:
        free = [target for target in KINDS[name].targets if free_at.get(target, 0.0) <= at]
        if free:
            seconds = chance.uniform(KINDS[name].shortest, KINDS[name].longest)
            return Blow(at, name, chance.choice(free), at + seconds)
    return None
