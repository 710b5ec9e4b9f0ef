"""Threads that ask for the same at one moment share a transaction; each goes on once that is committed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from orchestrator.telemetry import Event, log

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

LONG = 0.1  # seconds after which a transaction counts as held up, and another one may begin beside it


@dataclass(slots=True, eq=False)
class _Place:
    """What one thread asks for. It is woken when that is done, or when it is to do it for all who wait."""

    asked: Any
    answer: Any = None  # None while it is not done, and where it could not be done together
    woken: threading.Event = field(default_factory=threading.Event)


class Together:
    """Gathers what threads ask for while one of them is at it; the next one then does it for all.

    So whoever comes alone does it at once, and nobody waits for more than what is under way.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Place] = []
        self._led = False  # somebody is at it, or was woken to be

    def do(self, one: Asked, do_all: Callable[[Sequence[Asked]], Sequence[Answer | None]]) -> Answer:
        """Its answer, once it is committed. Raises whatever doing it raises.

        `do_all` does one or several in one transaction; its answer is None for one that cannot share it, of
        which it did nothing: that is done in its own, and so is all of a transaction that failed. So it has
        to be something that may be done twice.
        """
        mine = _Place(one)
        with self._lock:
            self._waiting.append(mine)
            leads, self._led = not self._led, True
        if not leads:
            mine.woken.wait(LONG)
        if some := self._take(mine):
            self._lead(some, do_all)
        else:  # somebody else does it at this moment, or has done it
            mine.woken.wait()
        if mine.answer is None:
            mine.answer = do_all([one])[0]
        answer: Answer = mine.answer
        return answer

    def _take(self, mine: _Place) -> list[_Place]:
        """All that wait; nothing where this one does not any more."""
        with self._lock:
            if mine not in self._waiting:
                return []
            some, self._waiting = self._waiting, []
            for one in some:
                one.woken.clear()  # from now on that it is woken says that it is done
            return some

    def _lead(self, some: Sequence[_Place], do_all: Callable[[Sequence[Any]], Sequence[Any]]) -> None:
        try:
            for one, answer in zip(some, do_all([one.asked for one in some]), strict=True):
                one.answer = answer
        except Exception as error:
            if len(some) == 1:
                raise
            kind = type(error).__name__  # its words are told by those that meet it
            log(Event.COMMIT_SPLIT, level=logging.WARNING, error=kind, requests=len(some))
        finally:
            with self._lock:
                following = self._waiting[:1]
                self._led = bool(following)
            for one in (*following, *some):
                one.woken.set()
