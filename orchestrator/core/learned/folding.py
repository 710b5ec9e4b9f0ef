"""Folding lessons into what is known: pure, so that whoever keeps it decides where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.learned.classes import channel_of, everywhere, wider
from orchestrator.core.learned.endings import Endings
from orchestrator.core.learned.grid import BEYOND, BINS, EDGES, bin_of
from orchestrator.core.learned.hooks import Hooks
from orchestrator.core.learned.lists import Freshness
from orchestrator.core.learned.spans import Spans

CLOSE = 10.0  # seconds; an end known so closely tells how late its webhook was


@dataclass(slots=True)
class Known:
    """What is known of classes and of channels, and of the list for each channel, by their names."""

    endings: dict[str, Endings] = field(default_factory=lambda: defaultdict(Endings))
    hooks: dict[str, Hooks] = field(default_factory=lambda: defaultdict(Hooks))
    lists: dict[str, Freshness] = field(default_factory=lambda: defaultdict(Freshness))
    # Where it is known: the share of jobs of a class that end by an age.
    ended_by: dict[str, Callable[[float], float]] = field(default_factory=dict)

    def learn_end(self, data: Mapping[str, Any]) -> None:
        """A job ended, or did not before its deadline."""
        if data["class"] is not None and data["began_at"] is not None:
            if data.get("told") is not None:
                self.endings[data["class"]].learn_notice(data["began_at"] + data["told"])
            data = self._as_noticed(data)
            for name in {data["class"], wider(data["class"])}:
                known = self.endings[name]
                known.learn(
                    began_at=data["began_at"],
                    low=data["low"],
                    high=data["high"],
                    narrow=data.get("narrow", False),
                )
                known.hint = data.get("hint") or known.hint
        if data["channel"] is not None and data.get("came"):
            self._came(data, data["at"])

    def close(self, data: Mapping[str, Any], *, hook_at: float | None, now: float) -> float | None:
        """Some time after an end that no webhook told: whether one came since.

        Returns in how many seconds to ask again, where that is too early to say.
        """
        if data["channel"] is None or data["came"]:
            return None
        data = self._as_noticed(data)
        if hook_at is not None:
            self._came(data, hook_at)
            return None
        patience = self.hooks[data["channel"]].patience
        waited: float = now - data["at"]
        if waited < patience - 1.0:
            return patience - waited
        for hooks in self._channels(data["channel"]):
            hooks.learn_missed(data["hook"])
        return None

    def came_late(self, data: Mapping[str, Any]) -> None:
        """A webhook that counted as missed came after all."""
        if data["channel"] is not None:
            for hooks in self._channels(data["channel"]):
                hooks.learn_late()

    def listing(self, data: Mapping[str, Any]) -> None:
        """Looks found ends, of which a list read just before had shown some."""
        self.lists[channel_of(data["account"], data["provider"])].learn(data["fresh"], data["stale"])

    def _as_noticed(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """With the gateway's own time of the end, unless it notices the ends of such jobs on its ticks."""
        told = data.get("told")
        if told is None or data["class"] is None or self.endings[data["class"]].on_ticks:
            return data
        return {**data, "low": told, "high": told, "narrow": True}

    def _came(self, data: Mapping[str, Any], at: float) -> None:
        delay = self._delay(data)
        for hooks in self._channels(data["channel"]):
            hooks.learn_came(at)
            if delay is not None:
                hooks.learn_delay(delay)

    def _delay(self, data: Mapping[str, Any]) -> Spans | None:
        """How late a webhook was, as far as it is known; None where that would be a guess.

        Where our look was quicker, all that is known is that it was later than the end was old by then.
        """
        cut_short = data["heard"] is None or data["caused"]
        until = data["age"] if cut_short else data["heard"]
        if data["high"] - data["low"] <= CLOSE:
            delay = Spans()
            delay.add(until - data["high"], None if cut_short else until - data["low"])
            return delay
        ended_by = self.ended_by.get(data["class"])
        return None if ended_by is None else _shared_out(data, until, ended_by, cut_short=cut_short)

    def _channels(self, name: str) -> Iterator[Hooks]:
        yield self.hooks[name]
        yield self.hooks[everywhere(name)]


def _shared_out(
    data: Mapping[str, Any], until: float, ended_by: Callable[[float], float], *, cut_short: bool
) -> Spans | None:
    """A delay of which only a wide span is known, by when jobs of the class end."""
    low, high = data["low"], data["high"]
    within = ended_by(high) - ended_by(low)
    if within <= 0.0:
        return None
    shared = Spans()
    for at in range(bin_of(until - high), min(bin_of(until - low), BINS - 1) + 1):
        first, last = min(until - EDGES[at], high), max(until - EDGES[at + 1], low)
        if first > last:
            shared.weights[at, BEYOND if cut_short else at] = (ended_by(first) - ended_by(last)) / within
    return shared
