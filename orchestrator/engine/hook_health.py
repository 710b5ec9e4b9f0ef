"""How webhooks come over each channel, an account's endpoint and a provider, in words for people."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.core.learned.classes import everywhere, parts
from orchestrator.core.learned.hooks import Health, Hooks, read_hooks
from orchestrator.engine.legible import legible
from orchestrator.store import estimates
from orchestrator.store.database import Transaction
from orchestrator.store.estimates import EstimateKind

_WORST = (Health.SILENT, Health.DEGRADED, Health.UNKNOWN, Health.HEALTHY)
MOST_EVIDENCE = 4  # things that the gateway says of deliveries, the most frequent ones


@dataclass(frozen=True, slots=True)
class Standing:
    """How a channel does, since when (epoch seconds) and why. Without a provider: the endpoint, for all."""

    account: str
    provider: str | None
    health: Health
    since: float | None
    why: str
    last_came_at: float | None


def of_every(tx: Transaction, *, changed_since: float = 0.0) -> list[Standing]:
    """Of each channel about which something was learned since then."""
    return [standing(name, hooks) for name, hooks in every(tx, changed_since=changed_since)]


def every(tx: Transaction, *, changed_since: float = 0.0) -> Iterator[tuple[str, Hooks]]:
    """What is known of each channel, by account and provider."""
    for name, data in estimates.of_kind(tx, EstimateKind.HOOKS, changed_since=changed_since).items():
        if data:
            yield name, legible(read_hooks, data)


def in_order(tx: Transaction, account_ids: Collection[str]) -> dict[str, Health]:
    """How each channel of these accounts does, by its name: the worst first."""
    known = {name: Health(health) for name, health in estimates.healths(tx).items() if health in set(Health)}
    ours = [name for name in known if parts(name)[0] in account_ids]
    return {name: known[name] for name in sorted(ours, key=lambda name: (_WORST.index(known[name]), name))}


def of_channels(tx: Transaction, names: Sequence[str]) -> list[Standing]:
    """Of each of these channels, in their order."""
    known = estimates.several(tx, [(EstimateKind.HOOKS, name) for name in names])
    read = {name: legible(read_hooks, data) for (_, name), data in known.items()}
    return [standing(name, read[name]) for name in names if name in read]


def silent(tx: Transaction, *, changed_since: float) -> list[Standing]:
    """Endpoints that are silent as a whole, and of the others the providers that are; changed since then."""
    names = [
        name
        for name, health in estimates.healths(tx, changed_since=changed_since).items()
        if health == Health.SILENT
    ]
    found = of_channels(tx, names)
    whole = {one.account for one in found if one.provider is None}
    return [one for one in found if one.provider is None or one.account not in whole]


def standing(name: str, hooks: Hooks) -> Standing:
    """Of one channel."""
    account, provider = parts(name)
    named = None if name == everywhere(name) else provider
    why = "; ".join(filter(None, (_seen(hooks), said(hooks))))
    return Standing(account, named, hooks.health, hooks.health_since, why, hooks.last_came_at)


def said(hooks: Hooks) -> str:
    """What the gateway says of deliveries that did not reach us; empty where it says nothing."""
    evidence = [f"{what} x{count}" for what, count in hooks.evidence.most_common(MOST_EVIDENCE)]
    return f"the gateway says: {', '.join(evidence)}" if evidence else ""


def _seen(hooks: Hooks) -> str:
    latest = len(hooks.recent)
    in_a_row = latest - len(hooks.recent.rstrip("0"))
    if hooks.health is Health.UNKNOWN:
        return f"{hooks.judged:.0f} were awaited so far, too few to say"
    if hooks.health is Health.SILENT:
        return f"the latest {in_a_row} did not come" if in_a_row else "some come again, too few to rely on"
    lately = f"{hooks.recent.count('0')} of the latest {latest}"
    return f"{100 * hooks.missed / max(hooks.judged, 1.0):.1f} % did not come, and {lately}"
