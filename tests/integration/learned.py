"""Jobs that ended and webhooks that came, folded into a store as the learner would."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from orchestrator.core.learned.folding import Known
from orchestrator.store import estimates
from orchestrator.store.database import Store
from orchestrator.store.estimates import EstimateKind

CLASS, CHANNEL = "google|veo|8s", "default|google"


def taught(
    store: Store,
    now: float,
    jobs: Iterable[tuple[float, float | None]],
    *,
    left_alone: bool = True,
    hook: str = "",
) -> None:
    """Jobs ended at these ages, and their webhooks came after these delays; None: never."""
    known = Known()
    for number, (age, delay) in enumerate(jobs):
        came = delay is not None
        at = now + number
        data: dict[str, Any] = {"class": CLASS, "channel": CHANNEL, "began_at": at - age, "at": at}
        data |= {"low": age, "high": age, "age": age + 10.0, "narrow": True, "hint": 20.0, "came": came}
        heard = None if delay is None else age + delay
        data |= {"heard": heard, "caused": not left_alone, "hook": hook or None}
        known.learn_end(data)
        if not came:
            known.close(data, hook_at=None, now=at + 1e6)
        for hooks in known.hooks.values():
            hooks.judge(at)
    with store.write() as tx:
        for name, endings in known.endings.items():
            estimates.lock(tx, EstimateKind.ENDINGS, name)
            estimates.write(tx, EstimateKind.ENDINGS, name, endings.as_json())
        for name, channel in known.hooks.items():
            estimates.lock(tx, EstimateKind.HOOKS, name)
            estimates.write(tx, EstimateKind.HOOKS, name, channel.as_json())


def some(count: int, *, lost_every: int = 0, delay: float = 0.5) -> list[tuple[float, float | None]]:
    ages = np.random.default_rng(7).normal(90.0, 8.0, count)
    return [
        (float(age), None if lost_every and number % lost_every == 0 else delay)
        for number, age in enumerate(ages, 1)
    ]
