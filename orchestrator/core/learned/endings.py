"""When the jobs of one class end: what is known, by when the jobs began.

Jobs end in another order than they began in: the quick ones first. So evidence is kept by the time of
beginning, and what is older counts less, not what ended longer ago: of a thousand jobs submitted together,
the slow ones are no newer truth than the quick ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.learned.spans import Spans, read_spans, together
from orchestrator.core.learned.ticks import on_tick

COHORT = 32  # jobs after which the next ones that begin are a cohort of their own
COHORTS = 12  # kept apart; earlier ones are one
REMEMBERED = 1_500.0  # jobs: beyond that the earlier ones count less
ON_TICKS = 0.3  # of the ends: more than fall on ticks by chance
COUNTS = ("narrow", "wide", "ticked", "between")
HALF_LIFE = 14 * 86_400.0  # seconds after which a job counts half


@dataclass(slots=True)
class Cohort:
    """Jobs that began from `since` on, up to the next cohort's; `latest` is the newest of them.

    `kept` is how much one of them counts by now, whether it ended long ago, ends now or is open: else the
    slow ones of a cohort would outweigh the quick ones.
    """

    since: float
    latest: float
    spans: Spans = field(default_factory=Spans)
    # Those still open when they were last counted: only known to be longer.
    still_open: Spans = field(default_factory=Spans)
    kept: float = 1.0

    @property
    def evidence(self) -> Spans:
        """Ended and open ones."""
        return together((self.spans, self.still_open))

    @property
    def size(self) -> float:
        """How many jobs it speaks of."""
        return self.spans.total + self.still_open.total

    def decay(self, factor: float) -> None:
        """Let its jobs count less."""
        self.spans.decay(factor)
        self.still_open.decay(factor)
        self.kept *= factor

    def as_json(self) -> dict[str, Any]:
        """A plain mapping for the store."""
        told: dict[str, Any] = {"since": self.since, "latest": self.latest, "kept": self.kept}
        return told | {"spans": self.spans.as_json(), "open": self.still_open.as_json()}


@dataclass(slots=True)
class Endings:
    """Evidence about one class. `narrow` and `wide` count ends known closely, and hardly at all.

    `hint` is the latest that the gateway said of when to ask again, in seconds.
    """

    cohorts: list[Cohort] = field(default_factory=list)
    narrow: float = 0.0
    wide: float = 0.0
    # Of the latest ends of which the gateway told the time: those on one of its ticks, and the others.
    ticked: float = 0.0
    between: float = 0.0
    aged_at: float | None = None
    hint: float | None = None

    @property
    def ended(self) -> float:
        """How many ended jobs it rests on."""
        return sum(cohort.spans.ended for cohort in self.cohorts)

    def learn(self, *, began_at: float, low: float, high: float | None, narrow: bool) -> None:
        """A job that began then ended at an age between `low` and `high` seconds; None: later than `low`."""
        cohort = self._cohort_of(began_at)
        cohort.spans.add(low, high, cohort.kept)
        cohort.latest = max(cohort.latest, began_at)
        self.narrow, self.wide = self.narrow * 0.99 + narrow, self.wide * 0.99 + (not narrow)
        self._keep_few()

    @property
    def on_ticks(self) -> bool:
        """Whether the gateway notices such ends on its ticks, so that its time is not that of the end.

        Of ends that it notices at once, one in thirty falls on a tick by chance.
        """
        return self.ticked > ON_TICKS * (self.ticked + self.between)

    def learn_notice(self, at: float) -> None:
        """The gateway says that a job ended then."""
        ticked = on_tick(at)
        self.ticked, self.between = self.ticked * 0.98 + ticked, self.between * 0.98 + (not ticked)

    def count_open(self, jobs: Mapping[float, float]) -> None:
        """Of jobs still open, by when they began: the age to which each is known to have been running."""
        for cohort in self.cohorts:
            cohort.still_open = Spans()
        for began_at, age in sorted(jobs.items()) if self.cohorts else ():
            cohort = self._cohort_of(began_at)
            cohort.still_open.add(age, None, cohort.kept)
            cohort.latest = max(cohort.latest, began_at)
        self._keep_few()

    def age(self, now: float) -> None:
        """Let time pass: what is old counts less."""
        if self.aged_at is not None and now > self.aged_at:
            factor = 0.5 ** ((now - self.aged_at) / HALF_LIFE)
            for cohort in self.cohorts:
                cohort.decay(factor)
        self.aged_at = now

    def forget_before(self, position: int) -> None:
        """Forget the cohorts before this one: they speak of another world."""
        del self.cohorts[:position]

    def _cohort_of(self, began_at: float) -> Cohort:
        newest = self.cohorts[-1] if self.cohorts else None
        full = newest is not None and newest.size >= COHORT and began_at > newest.latest
        if newest is None or full:
            self.cohorts.append(Cohort(began_at, began_at))
            return self.cohorts[-1]
        return self._holding(began_at)

    def _holding(self, began_at: float) -> Cohort:
        for cohort in reversed(self.cohorts):
            if began_at >= cohort.since:
                return cohort
        return self.cohorts[0]

    def _keep_few(self) -> None:
        while len(self.cohorts) > COHORTS:
            self._join()

    def _join(self) -> None:
        """Join the earliest two that are small against what came after them: cohorts grow with their age."""
        sizes = [cohort.size for cohort in self.cohorts]
        pairs = range(len(sizes) - 1)
        at = next((at for at in pairs if sizes[at] + sizes[at + 1] <= sum(sizes[at + 2 :]) / 2), 0)
        first, second = self.cohorts[at : at + 2]
        whole = max(sizes[at] + sizes[at + 1], 1e-9)
        first.kept = (first.kept * sizes[at] + second.kept * sizes[at + 1]) / whole or first.kept
        first.spans.merge(second.spans)
        first.still_open.merge(second.still_open)
        first.latest = max(first.latest, second.latest)
        del self.cohorts[at + 1]
        self._forget_beyond()

    def _forget_beyond(self) -> None:
        """Of jobs that ended: thousands may be open at once, and are no reason to forget what is known."""
        known = [cohort.spans.total for cohort in self.cohorts]
        beyond = sum(known) - REMEMBERED
        if beyond > 0:
            self.cohorts[0].decay(max(1.0 - beyond / max(known[0], 1.0), 0.5))

    def as_json(self) -> dict[str, Any]:
        """A plain mapping for the store."""
        cohorts = [cohort.as_json() for cohort in self.cohorts]
        counts: dict[str, Any] = {name: round(getattr(self, name), 3) for name in COUNTS}
        counts["aged_at"] = self.aged_at
        return {"cohorts": cohorts, "hint": self.hint} | counts


def read_endings(value: Mapping[str, Any]) -> Endings:
    """What `as_json` gave; nothing known where it is empty."""
    cohorts = [
        Cohort(
            one["since"],
            one["latest"],
            read_spans(one["spans"]),
            read_spans(one["open"]),
            one.get("kept", 1.0),
        )
        for one in value.get("cohorts", ())
    ]
    counts = {name: value.get(name, 0.0) for name in COUNTS}
    return Endings(cohorts, **counts, aged_at=value.get("aged_at"), hint=value.get("hint"))
