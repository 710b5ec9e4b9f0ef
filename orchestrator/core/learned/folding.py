"""Folding lessons into what is known: pure, so that whoever keeps it decides where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.learned.classes import everywhere, wider
from orchestrator.core.learned.endings import Endings
from orchestrator.core.learned.hooks import Hooks


@dataclass(slots=True)
class Known:
    """What is known of classes and of channels, by their names."""

    endings: dict[str, Endings] = field(default_factory=lambda: defaultdict(Endings))
    hooks: dict[str, Hooks] = field(default_factory=lambda: defaultdict(Hooks))

    def learn_end(self, data: Mapping[str, Any]) -> None:
        """A job ended, or did not before its deadline."""
        if data["class"] is not None and data["began_at"] is not None:
            for name in {data["class"], wider(data["class"])}:
                known = self.endings[name]
                known.learn(
                    began_at=data["began_at"],
                    low=data["low"],
                    high=data["high"],
                    narrow=data.get("narrow", False),
                )
        if data["channel"] is not None and data.get("came"):
            self._came(data, data["at"])

    def close(self, data: Mapping[str, Any], *, hook_at: float | None, now: float) -> float | None:
        """Some time after an end that no webhook told: whether one came since.

        Returns in how many seconds to ask again, where that is too early to say.
        """
        if data["channel"] is None or data["came"]:
            return None
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

    def _came(self, data: Mapping[str, Any], at: float) -> None:
        for hooks in self._channels(data["channel"]):
            hooks.learn_came(at)
            if data["delay"] is not None:
                low, high = data["delay"]
                hooks.learn_delay(low, max(high, 0.0), left_alone=data["left_alone"])
            else:  # our look caused it: the delay was longer than the end was old then
                hooks.learn_delay(data["age"] - data["high"], None, left_alone=False)

    def _channels(self, name: str) -> Iterator[Hooks]:
        yield self.hooks[name]
        yield self.hooks[everywhere(name)]
