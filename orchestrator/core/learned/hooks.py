"""How webhooks come over one channel, an endpoint and a provider: how late, how often never, and whether now.

A webhook that our own look caused shows that the channel delivers, and of the delay only that it was longer
than the age at that look. What is told is judged in order, so that a change shows in a handful.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from math import ceil, comb, log, sqrt
from typing import Any

from orchestrator.core.learned.grid import BEYOND, EDGES
from orchestrator.core.learned.spans import Spans, read_spans

ENOUGH = 20  # judged webhooks, before which none is relied on
RECENT = 32  # outcomes that are remembered one by one
REMEMBERED = 2_000.0
CAUTIOUS = 0.674  # standard deviations above what was seen: the upper quartile
BOUND = 1.96  # for people: 95 of 100 such intervals hold the truth
SURPRISING = 1e-6  # chance of what was seen lately, by what was seen before, at which the latter is forgotten
SILENT_AFTER = 5  # missed in a row at least, and so many …
NO_CHANCE = 1e-6  # … that it would hardly happen by what was lost before
SUPPOSED = 0.15  # lost of a channel of which too little is known
FADES = 0.99  # what each further delay leaves of the counts of earlier ones
CONCLUSIVE = 12.0  # expected, and none came
WELL_OF_THEM = 8  # come …
WELL_AFTER = 12  # … of so many, after which a channel that was silent is believed again
ILL_SHARE = 0.1  # of all, missed: degraded from here on …
WELL_SHARE = 0.04  # … until it is below this
SHORTEST_PATIENCE = 10.0  # seconds after an end that its webhook is awaited before it counts as missed
ALMOST_ALL = 0.99  # of those that come do so within the patience, and that half again
LONGEST_PATIENCE = 2_400.0  # contract 4.4: the last attempt is made 36 minutes after the first at the latest


class Health(StrEnum):
    """How a channel does, for people to see."""

    UNKNOWN = "unknown"  # too little was seen
    HEALTHY = "healthy"  # webhooks come
    DEGRADED = "degraded"  # more than a few do not
    SILENT = "silent"  # none comes: jobs are looked at by the gateway's guidance


@dataclass(slots=True)
class Hooks:
    """Evidence about one channel. `recent` has the latest outcomes, oldest first: `1` came, `0` did not."""

    came: float = 0.0
    missed: float = 0.0
    recent: str = ""
    # The share that was lost before what was known was forgotten, for want of anything better.
    usual: float = SUPPOSED
    delays: Spans = field(default_factory=Spans)
    # Of the latest hundred or so: delays that are known, and those that our own look cut short.
    known: float = 0.0
    cut_short: float = 0.0
    # What the gateway says of deliveries that did not reach us since all was well: HTTP status, "no answer" …
    evidence: Counter[str] = field(default_factory=Counter)
    health: Health = Health.UNKNOWN
    health_since: float | None = None
    last_came_at: float | None = None
    per_second: float = 0.0

    @property
    def judged(self) -> float:
        """How many webhooks were awaited long enough to say whether they came."""
        return self.came + self.missed

    def lost(self, deviations: float = CAUTIOUS) -> float:
        """The share that never comes, so many standard deviations above what was seen (Wilson 1927).

        Below 0 is as many below. 1 where too little was seen, so that nobody relies on it.
        """
        if self.judged < ENOUGH and deviations >= 0:
            return 1.0
        return share(self.missed, self.judged, deviations)

    @property
    def patience(self) -> float:
        """Seconds after an end for which its webhook is awaited before it counts as missed."""
        late = _late(self.delays, ALMOST_ALL)
        return min(max(1.5 * late, SHORTEST_PATIENCE), LONGEST_PATIENCE)

    def learn_came(self, at: float) -> None:
        """One came."""
        self._take_in(True)
        if self.last_came_at is not None and at > self.last_came_at:
            rate, weight = 1.0 / (at - self.last_came_at), min(1.0, (at - self.last_came_at) / 60.0)
            self.per_second += weight * (rate - self.per_second)
        self.last_came_at = max(at, self.last_came_at or at)

    def learn_missed(self, why: str | None = None) -> None:
        """One did not come while it was awaited; `why` is what the gateway says of it."""
        self._take_in(False)
        if why:
            self.evidence[why] += 1

    def learn_late(self) -> None:
        """One that counted as missed came after all."""
        self.missed = max(self.missed - 1.0, 0.0)
        self.came += 1.0
        at = self.recent.rfind("0")
        if at >= 0:
            self.recent = f"{self.recent[:at]}1{self.recent[at + 1 :]}"

    def learn_delay(self, spans: Spans) -> None:
        """How late one came, shared out over the spans of time in which it may have come."""
        cut_short = any(last >= BEYOND for _, last in spans.weights)
        self.delays.merge(spans)
        if self.delays.total > REMEMBERED:
            self.delays.decay(0.9)
        self.known = self.known * FADES + (not cut_short)
        self.cut_short = self.cut_short * FADES + cut_short

    def judge(self, now: float, expected: float = 0.0) -> Health:
        """Say how the channel does. What it was decides what it takes to change.

        `expected` is how many webhooks should have come since the last one did (`silence.expected`). As many
        must be missing by the rate at which they came: neither number is sure.
        """
        if min(expected, self._by_rate(now)) >= CONCLUSIVE and self.health in (
            Health.HEALTHY,
            Health.DEGRADED,
        ):
            # What came before speaks of another world.
            self.usual = self.lost()
            self.came, self.missed, self.recent = 0.0, 0.0, "0" * SILENT_AFTER
        verdict = self._verdict()
        if verdict is not self.health:
            self.health, self.health_since = verdict, now
            if verdict is Health.HEALTHY:
                self.evidence.clear()  # of what is over
        return self.health

    def _verdict(self) -> Health:
        if self.recent.endswith("0" * self._silent_after()) or self.recent == "0" * SILENT_AFTER:
            return Health.SILENT
        if self.health is Health.SILENT:
            latest = self.recent[-WELL_AFTER:]
            if latest.count("1") < WELL_OF_THEM:
                return Health.SILENT
            # What was missed meanwhile speaks of another world as well.
            self.came, self.missed = float(len(self.recent) - len(self.recent.rstrip("1"))), 0.0
        elif self.judged < ENOUGH:
            return self.health
        missed = self.missed / max(self.judged, 1.0)
        if missed > ILL_SHARE:
            return Health.DEGRADED
        well = missed < WELL_SHARE or self.health in (Health.UNKNOWN, Health.SILENT)
        return Health.HEALTHY if well else self.health

    def _by_rate(self, now: float) -> float:
        """How many would have come since the last one, had they gone on coming as they did."""
        return 0.0 if self.last_came_at is None else self.per_second * max(now - self.last_came_at, 0.0)

    def _silent_after(self) -> int:
        """So many missed in a row are no chance, by what was lost before."""
        run = len(self.recent) - len(self.recent.rstrip("0"))
        before = self.judged - run
        lost = share(max(self.missed - run, 0.0), before, CAUTIOUS) if before >= ENOUGH else self.usual
        return min(max(SILENT_AFTER, ceil(log(NO_CHANCE) / log(min(max(lost, 1e-9), 0.9)))), RECENT)

    def _take_in(self, came: bool) -> None:
        self.recent = (self.recent + ("1" if came else "0"))[-RECENT:]
        self.came, self.missed = self.came + came, self.missed + (not came)
        self._forget_what_changed()
        if self.judged > REMEMBERED:
            factor = REMEMBERED / self.judged
            self.came, self.missed = self.came * factor, self.missed * factor

    def _forget_what_changed(self) -> None:
        """Only the latest count where the earlier ones would hardly have led to them."""
        for length in (4, 8, 16, RECENT):
            latest = self.recent[-length:]
            before = self.judged - len(latest)
            if len(latest) < length or before < ENOUGH:
                return
            missed = latest.count("0")
            earlier = max(self.missed - missed, 0.0)
            more = _at_least(missed, length, share(earlier, before, CAUTIOUS))
            fewer = _at_least(length - missed, length, 1.0 - share(earlier, before, -CAUTIOUS))
            if min(more, fewer) < SURPRISING:
                self.usual = share(earlier, before, CAUTIOUS)
                self.came, self.missed = float(length - missed), float(missed)
                return

    def as_json(self) -> dict[str, Any]:
        """A plain mapping for the store."""
        return {
            "came": round(self.came, 3),
            "missed": round(self.missed, 3),
            "recent": self.recent,
            "usual": self.usual,
            "delays": self.delays.as_json(),
            "known": round(self.known, 3),
            "cut_short": round(self.cut_short, 3),
            "evidence": dict(self.evidence),
            "health": self.health,
            "health_since": self.health_since,
            "last_came_at": self.last_came_at,
            "per_second": self.per_second,
        }


def read_hooks(value: Mapping[str, Any]) -> Hooks:
    """What `as_json` gave; nothing known where it is empty. What a newer program added is left out."""
    if not value:
        return Hooks()
    known = {field.name: value[field.name] for field in fields(Hooks) if field.name in value}
    known["delays"] = read_spans(known["delays"])
    known["evidence"] = Counter(known["evidence"])
    known["health"] = Health(known["health"])
    return Hooks(**known)


def _late(delays: Spans, share: float) -> float:
    """The delay within which this share of what is known of delays lies, in seconds."""
    known = sorted((last, weight) for (_, last), weight in delays.weights.items() if last < BEYOND)
    left = share * sum(weight for _, weight in known)
    for last, weight in known:
        left -= weight
        if left <= 0:
            return EDGES[last + 1]
    return 0.0


def share(some: float, of: float, deviations: float) -> float:
    """Wilson's bound of a share: above it by so many standard deviations, or below it."""
    if of <= 0:
        return 1.0 if deviations > 0 else 0.0
    z, seen = deviations, some / of
    middle = seen + z * z / (2 * of)
    wide = z * sqrt(seen * (1 - seen) / of + z * z / (4 * of * of))
    return min(max((middle + wide) / (1 + z * z / of), 0.0), 1.0)


def _at_least(some: int, of: int, chance: float) -> float:
    """The probability that so many or more of so many happen, each with this chance."""
    return sum(comb(of, k) * chance**k * (1 - chance) ** (of - k) for k in range(some, of + 1))
