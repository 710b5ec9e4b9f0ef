"""A simulated process: the real context and sender, around it what can crash, stall and pause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import floor, inf
from typing import Any

from orchestrator.engine.context import Context
from orchestrator.simulation.loop import VirtualHttp
from orchestrator.simulation.scheduler import Activity, Crash, Scheduler

BEAT_EVERY = 2.0


@dataclass(slots=True)
class Process:
    """One life of one process. Times are epoch seconds."""

    name: str
    scheduler: Scheduler
    alive: bool = True
    paused_until: float = 0.0
    beats_since: float = 0.0  # the first heartbeat of an unbroken row, one every two seconds
    last_beat: float = 0.0
    joined: bool = False
    doubts: int = 0  # heartbeats that are still to look for leases left behind
    activities: list[Activity] = field(default_factory=list)
    http: VirtualHttp = field(init=False)
    context: Context = field(init=False)
    send: Callable[..., None] = field(init=False)

    def begin(self, name: str, act: Callable[[], Any]) -> Activity:
        """Do something, beside whatever else is being done."""
        self.activities = [one for one in self.activities if not one.dead]
        activity = self.scheduler.begin(self, name, act)
        self.activities.append(activity)
        return activity

    def crash(self) -> None:
        """Die. Whoever has the turn, if it is one of ours, must raise Crash itself."""
        self.last_beat = self.beat_at(self.scheduler.now)
        self.beats_since = inf
        self.alive = False
        self.scheduler.at(self.scheduler.now, self.bury)

    def bury(self) -> None:
        """End what this process was doing. Its handlers run, and whatever they touch is dead."""
        for activity in self.activities:
            if activity.going:
                activity.throw(Crash)
        self.activities.clear()

    def pause(self, seconds: float) -> None:
        """Stand still: beats stop as well."""
        self.last_beat = self.beat_at(self.scheduler.now)
        self.paused_until = self.scheduler.now + seconds
        self.beats_since = inf  # until it has beaten again

    def beat_at(self, now: float) -> float:
        """When it beat last, as of `now`."""
        if now < self.beats_since:
            return self.last_beat
        in_a_row = self.beats_since + floor((now - self.beats_since) / BEAT_EVERY) * BEAT_EVERY
        return max(self.last_beat, in_a_row)  # a sweep or a claim may have beaten since
