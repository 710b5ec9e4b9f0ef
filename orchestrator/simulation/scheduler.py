"""Virtual time, and activities that take turns in it. One thread; nothing happens but what is planned."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

from greenlet import getcurrent, greenlet


class Crash(BaseException):
    """The process that this runs in is dead: nothing of it goes on, no handler takes effect."""


class Owner(Protocol):
    """Whose event it is: what a dead one planned never happens, what a paused one planned waits."""

    name: str
    alive: bool
    paused_until: float


@dataclass(slots=True)
class Planned:
    """Something that will happen, unless it is dropped or its owner dies."""

    act: Callable[[], Any]
    owner: Owner | None
    dropped: bool = False


class Activity(greenlet):
    """Something a process does, from start to end; it gives its turn away whenever it waits."""

    def __init__(self, scheduler: Scheduler, owner: Owner, name: str, act: Callable[[], Any]) -> None:
        super().__init__(self._live, parent=scheduler.main)
        self.owner = owner
        self.name = name
        # Row (table, id) → the fence under which this activity leased it.
        self.holds: dict[tuple[str, Any], int] = {}
        # Gateway id or session → when an answer about it came, and the answer.
        self.heard: dict[str, tuple[float, Any]] = {}
        self._act = act
        self._broke = scheduler.broke

    @property
    def going(self) -> bool:
        """Whether it has begun and is not over."""
        return super().__bool__()

    def _live(self) -> None:
        try:
            self._act()
        except Crash:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody foresaw it
            self._broke(self, error)


@dataclass(slots=True)
class Scheduler:
    """Makes what is planned happen in order of time; for one moment, in order of planning.

    `broke` is told of an activity that ended in an exception.
    """

    now: float
    broke: Callable[[Activity, Exception], None] = field(init=False)
    steps: int = 0
    main: greenlet = field(default_factory=getcurrent)
    _heap: list[tuple[float, int, Planned]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)

    def at(self, when: float, act: Callable[[], Any], owner: Owner | None = None) -> Planned:
        """Plan something for a moment."""
        planned = Planned(act, owner)
        heapq.heappush(self._heap, (max(when, self.now), next(self._order), planned))
        return planned

    def after(self, seconds: float, act: Callable[[], Any], owner: Owner | None = None) -> Planned:
        """Plan something for later."""
        return self.at(self.now + seconds, act, owner)

    def step(self) -> bool:
        """Let the next thing happen; False when nothing is planned any more."""
        while self._heap:
            when, _, planned = heapq.heappop(self._heap)
            owner = planned.owner
            if planned.dropped or (owner is not None and not owner.alive):
                continue
            if owner is not None and owner.paused_until > when:
                heapq.heappush(self._heap, (owner.paused_until, next(self._order), planned))
                continue
            self.now = when
            self.steps += 1
            planned.act()
            return True
        return False

    def next_at(self) -> float | None:
        """When the next thing happens at the soonest."""
        return self._heap[0][0] if self._heap else None

    def begin(self, owner: Owner, name: str, act: Callable[[], Any]) -> Activity:
        """Let a process do something, from this moment on."""
        activity = Activity(self, owner, name, act)
        self.at(self.now, activity.switch, owner)
        return activity

    def wait(self, seconds: float) -> None:
        """Let the activity that calls this wait."""
        activity = running()
        self.after(seconds, activity.switch, activity.owner)
        self.park()

    def park(self) -> None:
        """Give the turn away; who calls this has made sure that it comes back."""
        if not running().owner.alive:
            raise Crash
        self.main.switch()


def running() -> Activity:
    """The activity that has its turn."""
    activity = getcurrent()
    assert isinstance(activity, Activity)
    return activity


def whoever() -> Activity | None:
    """The activity that has its turn, if one has."""
    activity = getcurrent()
    return activity if isinstance(activity, Activity) else None
