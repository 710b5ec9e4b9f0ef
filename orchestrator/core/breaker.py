"""Stops asking what keeps failing: one breaker per provider of an account, one per whole gateway.

A breaker that is open lets one question through when its pause is over; the answer closes it or
doubles the pause. While it is open, stored state (the list) is asked instead.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

FAILURES_TO_OPEN = 5
FIRST_PAUSE = 15.0
LONGEST_PAUSE = 300.0

Key = tuple[str, str | None]  # account, provider; None stands for the whole gateway


@dataclass(slots=True)
class _Line:
    failures: int = 0
    pause: float = FIRST_PAUSE
    failed_at: float = 0.0
    shut_until: float = 0.0
    probing: bool = False


@dataclass(slots=True)
class Breakers:
    """The breakers of one process. Times are epoch seconds."""

    _lines: dict[Key, _Line] = field(default_factory=dict)
    _came_back: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def allows(self, now: float, *keys: Key) -> bool:
        """Whether to ask what all these stand for. After a pause only the first caller may ask."""
        with self._lock:
            lines = [self._lines[key] for key in keys if key in self._lines]
            shut = [line for line in lines if line.failures >= FAILURES_TO_OPEN]
            if any(now < line.shut_until for line in shut):
                return False  # and nobody's turn is used up
            for line in shut:
                line.shut_until, line.probing = now + line.pause, True
            return True

    def wait(self, now: float, *keys: Key) -> float:
        """Seconds after which to try again: not all of a long pause, which the next probe may end."""
        with self._lock:
            lines = [self._lines[key] for key in keys if key in self._lines]
            pauses = [line.shut_until - now for line in lines if line.failures >= FAILURES_TO_OPEN]
            return min(max([*pauses, 0.0]), FIRST_PAUSE)

    @property
    def some_failed(self) -> bool:
        """Whether anything failed that did not work since: seldom, and quickly told."""
        return bool(self._lines)

    def left_alone(self, now: float) -> list[str]:
        """The accounts whose gateway is not asked now, but for a question now and then."""
        with self._lock:
            shut = [(account, line) for (account, provider), line in self._lines.items() if provider is None]
            return [
                account
                for account, line in shut
                if line.failures >= FAILURES_TO_OPEN and now < line.shut_until
            ]

    def failed(self, key: Key, now: float) -> None:
        """Count a failure: the fifth in a row opens the breaker, a probe's doubles the pause.

        Those of questions that were already under way when it opened change nothing more.
        """
        with self._lock:
            line = self._lines.setdefault(key, _Line())
            line.failures += 1
            line.failed_at = now
            if line.probing:
                line.pause = min(line.pause * 2, LONGEST_PAUSE)
            if line.probing or line.failures == FAILURES_TO_OPEN:
                line.shut_until, line.probing = now + line.pause, False

    def worked(self, key: Key) -> None:
        """Forget earlier failures."""
        with self._lock:
            line = self._lines.pop(key, None)
            account, provider = key
            if line is not None and provider is None and line.failures >= FAILURES_TO_OPEN:
                self._came_back.add(account)

    def came_back(self) -> list[str]:
        """The accounts whose gateway was left alone and answered here, until it is `told` to the others."""
        with self._lock:
            return sorted(self._came_back)

    def told(self, accounts: Iterable[str]) -> None:
        """Remember no longer that these came back: every process can know."""
        with self._lock:
            self._came_back.difference_update(accounts)

    def answered_elsewhere(self, account: str, at: float) -> None:
        """Forget what failed before another process got an answer of this account's gateway."""
        with self._lock:
            line = self._lines.get((account, None))
            if line is not None and line.failed_at < at:
                del self._lines[account, None]
