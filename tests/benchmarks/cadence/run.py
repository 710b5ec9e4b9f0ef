"""One run of the learned rule in virtual time: the real lessons, folding, estimates and choice of looks."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, cast

from orchestrator.core.cadence import Guidance, next_look
from orchestrator.core.job import HookTold, Job, Observation, Source, Updates
from orchestrator.core.learned.change import forget_what_changed
from orchestrator.core.learned.endings import Endings
from orchestrator.core.learned.estimate import schedule_of
from orchestrator.core.learned.folding import Known
from orchestrator.core.learned.hooks import Health, Hooks
from orchestrator.core.learned.lessons import LessonKind, taught
from orchestrator.core.learned.paces import Paces, Why, left_alone_for
from orchestrator.core.learned.silence import expected
from orchestrator.core.lifecycle import Seen, State, Step, Verdict
from tests.benchmarks.cadence.worlds import HINT, Fate, World

CLASS, CHANNEL = "p|m|8s", "default|p"
LEARN_EVERY = 2.0
COUNT_OPEN_EVERY = 10.0
MOVED = 1.05  # a class is estimated anew once it rests on a twentieth more
DEADLINE = 21_600.0


@dataclass(slots=True)
class Told:
    """How one job went: requests, seconds between its end and our knowing, and why it was looked at."""

    fate: Fate
    requests: int = 0
    lag: float = 0.0
    learned: float = 0.0  # ended jobs that were known when it began
    why: Why = Why.NO_DATA
    told_at: float = 0.0
    too_early: int = 0


@dataclass(slots=True)
class _Open:
    """What `taught` reads of a job."""

    told: Told
    id: str
    created_at: float
    channel: str | None
    updates: Updates
    state: State = State.WAITING
    ending_class: str = CLASS
    tenant_id: str = "default"
    model: str = "m"
    request: dict[str, Any] = field(default_factory=dict)
    seen_running_at: float | None = None
    hook_at: float | None = None
    hook_missed: bool = False
    due_at: float | None = None
    leased_by: None = None
    poll_after: float | None = None
    looks: int = 0
    detail_tries: int = 0
    last_asked: float = 0.0


@dataclass(slots=True)
class Run:
    """The learned rule on the jobs of a world; `stopped` are the moments between which no webhook leaves."""

    world: World
    fates: Sequence[Fate]
    worth: float = 20.0
    longest: float = 900.0
    explored: float = 0.01
    stopped: tuple[float, float] | None = None
    seed: int = 0
    known: Known = field(default_factory=Known)
    paces: Paces = field(default_factory=Paces)
    told: list[Told] = field(default_factory=list)
    rebuilds: int = 0
    healths: list[tuple[float, str]] = field(default_factory=list)
    _events: list[tuple[float, int, str, Any]] = field(default_factory=list)
    _number: Any = field(default_factory=count)
    _open: dict[str, _Open] = field(default_factory=dict)
    _rests_on: float = 0.0
    _counted_at: float = 0.0
    _health: Health = Health.UNKNOWN
    _judged: float = 0.0
    _random: Random = field(default_factory=Random)

    def go(self) -> list[Told]:
        """Let everything happen."""
        self.paces.explored = self.explored
        self.paces.left_alone_for = left_alone_for(self.worth)
        self._random = Random(self.seed + 1)
        for fate in self.fates:
            self._at(fate.began_at, "begin", fate)
        self._at(LEARN_EVERY, "learn", None)
        while self._events:
            now, _, what, about = heapq.heappop(self._events)
            getattr(self, f"_{what}")(now, about)
        return self.told

    def _at(self, when: float, what: str, about: Any) -> None:
        heapq.heappush(self._events, (when, next(self._number), what, about))

    def _begin(self, now: float, fate: Fate) -> None:
        told = Told(fate, learned=self.known.endings[CLASS].ended)
        self.told.append(told)
        hooked = self.world.hooks != "none"
        job = _Open(
            told,
            f"job{len(self.told)}",
            now,
            CHANNEL if hooked else None,
            Updates.HYBRID if hooked else Updates.POLL,
        )
        self._open[job.id] = job
        job.last_asked = now
        self._place(now, job)
        if fate.hook is not None and not self._silent(now + fate.hook):
            self._at(now + fate.hook, "hook", job)

    def _silent(self, when: float) -> bool:
        return self.stopped is not None and self.stopped[0] <= when < self.stopped[1]

    def _place(self, now: float, job: _Open) -> None:
        pace = self.paces.of(job.id, CLASS, job.channel)
        luck = job.told.fate.luck
        choice = next_look(
            now=now,
            guidance=Guidance(HINT if job.looks else None),
            deadline=job.created_at + DEADLINE,
            jitter=luck[job.looks % len(luck)],
            age=now - job.created_at,
            pace=pace,
        )
        job.told.why, job.due_at = choice.why, choice.at
        job.told.too_early += choice.at < job.last_asked + HINT - 1e-6
        self._at(choice.at, "look", job)

    def _look(self, now: float, job: _Open) -> None:
        if job.id not in self._open or job.due_at != now:
            return
        job.looks += 1
        job.told.requests += 1
        job.last_asked = now
        fate = job.told.fate
        if now - job.created_at < fate.ends:
            job.seen_running_at = now
            self._place(now, job)
            return
        noticed = self.world.hooks == "instant"  # else this look made the gateway notice
        tried = noticed and fate.hook is None
        hook = HookTold(0, False) if tried else None
        seen = Observation(
            Source.POLL, Seen.COMPLETED, ended_at=job.created_at + fate.ends if noticed else now, hook=hook
        )
        self._end(now, job, seen)
        if not noticed and not fate.lost and job.channel and not self._silent(now):
            self._at(now + fate.travels, "hook", job)

    def _hook(self, now: float, job: _Open) -> None:
        if job.id in self._open:
            at = job.created_at + job.told.fate.ends if self.world.hooks == "instant" else now - 0.5
            job.hook_at = None
            self._end(now, job, Observation(Source.WEBHOOK, Seen.COMPLETED, ended_at=at))
            job.hook_at = now
        elif job.hook_at is None:
            job.hook_at = now
            if job.hook_missed:
                self.known.came_late({"channel": job.channel})

    def _end(self, now: float, job: _Open, seen: Observation) -> None:
        del self._open[job.id]
        job.told.lag = now - job.created_at - job.told.fate.ends
        job.told.told_at = now
        changes = {"looks": job.looks}
        step = Step(State.COMPLETED, Verdict.MOVED)
        for lesson in taught(cast("Job", job), seen, step, changes, now):
            self._at(now + lesson.after, "lesson", (lesson.kind, lesson.data, job))

    def _lesson(self, now: float, about: tuple[LessonKind, dict[str, Any], _Open]) -> None:
        kind, data, job = about
        if kind is LessonKind.ENDED:
            self.known.learn_end(data)
        elif kind is LessonKind.CLOSED:
            again = self.known.close(data, hook_at=job.hook_at, now=now)
            if again is not None:
                self._at(now + again, "lesson", about)
            elif data["channel"] and not data["came"] and job.hook_at is None:
                job.hook_missed = True

    def _learn(self, now: float, _: None) -> None:
        endings = self.known.endings[CLASS]
        hooks = self.known.hooks[CHANNEL] if self.world.hooks != "none" else None
        health = hooks.judge(now, self._expected(now, hooks)) if hooks else Health.UNKNOWN
        changed = now - self._counted_at >= COUNT_OPEN_EVERY and self._count_open(now, endings)
        moved = endings.ended > self._rests_on * MOVED or (
            hooks and abs(hooks.judged - self._judged) > 0.05 * self._judged
        )
        if changed or moved or health is not self._health:
            self._rebuild(now, health)
        if self._events:
            self._at(now + LEARN_EVERY, "learn", None)

    def _count_open(self, now: float, endings: Endings) -> bool:
        """Count the open jobs; whether what is known was forgotten, because jobs end at other ages now."""
        self._counted_at = now
        ages = {job.created_at: (job.seen_running_at or job.created_at) for job in self._open.values()}
        endings.count_open({began_at: seen - began_at for began_at, seen in ages.items()})
        return forget_what_changed(endings)

    def _expected(self, now: float, hooks: Hooks) -> float:
        ended_by = self.known.ended_by.get(CLASS)
        if ended_by is None or hooks.last_came_at is None:
            return 0.0
        waiting = [(job.created_at, job.seen_running_at) for job in self._open.values()]
        return expected(
            waiting,
            ended_by,
            last_came_at=hooks.last_came_at,
            patience=hooks.patience,
            now=now,
            lost=hooks.lost(),
        )

    def _rebuild(self, now: float, health: Health) -> None:
        endings = self.known.endings[CLASS]
        hooks = self.known.hooks[CHANNEL] if self.world.hooks != "none" else None
        self._rests_on, self._judged = endings.ended, hooks.judged if hooks else 0.0
        self.rebuilds += 1
        made = schedule_of(
            endings,
            hooks,
            now=now,
            floor=HINT,
            request_seconds=self.worth,
            longest=self.longest,
        )
        if made.pace.plan is not None:
            self.known.ended_by[CLASS] = made.pace.plan.ended_by
        self.paces.schedules = {(CLASS, CHANNEL if hooks else None): made}
        if health is Health.SILENT is not self._health:
            self._call_back(now)
        if health is not self._health:
            self.healths.append((now, health))
        self._health = health

    def _call_back(self, now: float) -> None:
        for job in self._open.values():
            sooner = max(now, job.last_asked + HINT) + HINT * self._random.random()
            if job.due_at is not None and sooner < job.due_at:
                job.due_at = sooner
                self._at(sooner, "look", job)
