"""The processes: workers that take messages, a receiver, consoles; their deaths, pauses and next lives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf

from orchestrator.core.job import HandOff, Job, Output, Owed
from orchestrator.core.learned.classes import channel_of, everywhere
from orchestrator.engine.context import Context
from orchestrator.engine.create import create
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.hand_off import hand_off, hand_off_claimed
from orchestrator.engine.housekeeping import keep_house
from orchestrator.engine.learning import learn
from orchestrator.engine.look import look
from orchestrator.engine.recalling import begin, recall
from orchestrator.engine.sweep import sweep
from orchestrator.simulation.chance import Fault
from orchestrator.simulation.checking import Mirror
from orchestrator.simulation.database import Staged
from orchestrator.simulation.invariants import Row
from orchestrator.simulation.leases import HEARTBEAT
from orchestrator.simulation.process import BEAT_EVERY, Process
from orchestrator.simulation.scheduler import Crash, Scheduler, whoever
from orchestrator.simulation.tools import Chance
from orchestrator.store import workers
from orchestrator.store.database import WORKER_DEAD_AFTER
from orchestrator.store.schema import DEFAULT

AT_A_TIME = 20  # rounds before a message ends and another one goes on
USE_CASES: dict[Task, Callable[[Context], list[FollowUp] | None]] = {
    Task.CREATE: create,
    Task.LOOK: look,
    Task.HAND_OFF: hand_off,
}
DOUBTS = 4  # heartbeats after which a process that doubts has given back whatever it had left behind
LONGEST_GAP = 30.0  # seconds between sweeps that would find nothing
STALLS = (1.0, 12.0, 300.0)
PAUSES = (4.0, 20.0, 150.0)


@dataclass(slots=True)
class OwnHands:
    """What a process owes itself and can do at once; each attempt is one more activity of it."""

    fleet: Fleet
    process: Process

    def choose(self, owed: Sequence[Owed]) -> list[Owed]:
        """Mostly some can begin."""
        return list(owed)[: self.fleet.chance.random.choice((0, 1, 1, 2))]

    def begin(self, claimed: HandOff, job: Job, siblings: list[Output]) -> None:
        """Its holder is whoever makes the attempt."""
        attempt = partial(self.fleet.make_attempt, self.process, claimed, job, siblings)
        begun = self.process.begin(Task.HAND_OFF, attempt)
        begun.holds["hand_offs", claimed.id] = claimed.fence


@dataclass(slots=True)
class Fleet:
    """Every process of one simulation. `equip` gives a new life its context and sender."""

    scheduler: Scheduler
    chance: Chance
    equip: Callable[[Process], None]
    mirror: Mirror = field(init=False)
    ask_for_sweep: Callable[[], None] = field(init=False)
    workers: dict[str, Process] = field(default_factory=dict)
    web: Process = field(init=False)
    lives: dict[str, Process] = field(default_factory=dict)  # by worker id, the dead among them
    born: int = 0

    # lives

    def begin(self, count: int) -> None:
        """Start everything."""
        for number in range(1, count + 1):
            self._start_worker(f"worker{number}")
        self._start_web()
        self.scheduler.after(0.5, self._sweep)

    def _new(self, name: str) -> Process:
        self.born += 1
        process = Process(name, self.scheduler)
        self.equip(process)
        self.lives[process.context.worker] = process
        return process

    def console(self) -> Process:
        """A process for one command."""
        return self._new("console")

    def _start_worker(self, name: str) -> None:
        process = self.workers[name] = self._new(name)
        self._give_hands(process)
        process.beats_since = inf
        self._beat_soon(process)

    def _give_hands(self, process: Process) -> None:
        if self.chance.scenario.hands:
            process.context.hands = OwnHands(self, process)

    def _beat_soon(self, process: Process) -> None:
        """A heartbeat in a transaction of its own; those in a row after it are written without."""

        def beat() -> None:
            context = process.context
            try:
                with context.store.write(durable=False) as tx:
                    if not workers.beat(tx, context.worker):
                        workers.join(tx, context.worker, host="here", pid=self.born)
            except Staged:
                self.scheduler.after(BEAT_EVERY, lambda: self._beat_soon(process), process)
                return
            process.joined = True
            process.beats_since = process.last_beat = self.scheduler.now

        process.begin(HEARTBEAT, beat)

    def _doubt(self, process: Process) -> None:
        """The database failed this process: its next heartbeats look for leases that were left behind."""
        process.context.held.doubt()
        if not process.doubts:
            self._give_back_later(process)
        process.doubts = DOUBTS

    def _give_back_later(self, process: Process) -> None:
        def give_back() -> None:
            process.doubts -= 1
            try:
                # What would find nothing is mostly left out: it costs time.
                if self.mirror.leased_by(process.context.worker) or self.chance.random.random() < 0.1:
                    process.context.held.give_back(process.context)
            except Staged:
                process.doubts = DOUBTS
            if process.doubts:
                self._give_back_later(process)

        self.scheduler.after(BEAT_EVERY, lambda: process.begin(HEARTBEAT, give_back), process)

    def die(self, process: Process) -> None:
        """Kill a process; a worker and the receiver live again after a while."""
        self.chance.trace(process.name, "dies")
        process.crash()
        random = self.chance.random
        after = 1.0 if self.chance.healed else random.choice((0.5, 5.0, 20.0)) * random.random()
        if process is self.workers.get(process.name):
            self.scheduler.after(after, lambda: self._start_worker(process.name))
        elif process is self.web:
            self.scheduler.after(after, self._start_web)

    def _start_web(self) -> None:
        self.web = self._new("web")
        if self.chance.scenario.hands:  # it leases what it hands off
            self._give_hands(self.web)
            self.web.beats_since = inf
            self._beat_soon(self.web)

    def pause(self, process: Process) -> None:
        """Let a process stand still for a while."""
        random = self.chance.random
        seconds = random.choice(PAUSES) * random.random()
        self.chance.trace(process.name, f"stands still for {seconds:.1f} s")
        process.pause(seconds)
        if process.joined:
            self.scheduler.at(process.paused_until, lambda: self._beat_soon(process), process)

    def beats(self) -> list[tuple[str, float]]:
        """The workers that are known, and when each beat last."""
        now = self.scheduler.now
        known = (process for process in self.lives.values() if process.joined)
        return [(process.context.worker, process.beat_at(now)) for process in known]

    def take_beats(self, rows: Iterable[Row]) -> None:
        """Heartbeats that were written in transactions."""
        for row in rows:
            self.lives[row["id"]].last_beat = row["beaten_at"]

    def held(self, row: Row) -> bool:
        """Whether the lease on a row is live."""
        return row["leased_by"] is not None and self.free_at(row) > self.scheduler.now

    def worked_on(self, table: str, row: Row) -> bool:
        """Whether an activity works under the lease on a row."""
        process = self.lives[row["leased_by"]]
        lease = (table, row["id"])
        return any(one.going and one.holds.get(lease) == row["fence"] for one in process.activities)

    def free_at(self, row: Row) -> float:
        """When somebody else may take a row, as far as can be told now."""
        process = self.lives.get(row["leased_by"] or "")
        if process is None or not process.joined:
            return 0.0
        dead_at = inf
        if not process.alive or self.scheduler.now < process.beats_since:
            dead_at = process.last_beat + WORKER_DEAD_AFTER
        return min(dead_at, float(row["lease_until"] or 0.0))

    # work

    def deliver(self, task: Task) -> None:
        """Bring a message to one of the workers."""
        ready = [process for process in self.workers.values() if process.joined and process.alive]
        if ready:
            process = self.chance.random.choice(ready)
            if task is Task.SWEEP and process.paused_until > self.scheduler.now:
                return  # it expires before anybody takes it
            process.begin(task, lambda: self._perform(process, task))

    def _perform(self, process: Process, task: Task) -> None:
        """What the Celery task does; a claim that would find nothing is mostly left out: it costs time."""
        context, send = process.context, process.send
        try:
            if task is Task.SWEEP:
                send(sweep(context))
                self._learn(context)
                if self.chance.random.random() < 0.05:  # it is done once a minute anyway
                    keep_house(context)
                return
            for _ in range(AT_A_TIME):
                if not self.due_now(task) and self.chance.random.random() < 0.95:
                    return
                follow_ups = USE_CASES[task](context)
                if follow_ups is None:
                    return
                send(follow_ups)
                self._mislead(context)
            send([FollowUp(task)])
        except Staged as error:
            self._doubt(process)
            self.chance.trace(process.name, f"{task} ends: {error.message}")

    def make_attempt(self, process: Process, claimed: HandOff, job: Job, siblings: list[Output]) -> None:
        """What a thread of a process does with a hand-off that was claimed as it became owed."""
        try:
            process.send(hand_off_claimed(process.context, claimed, job, siblings))
        except Staged as error:
            self._doubt(process)
            self.chance.trace(process.name, f"{claimed.key} ends: {error.message}")

    def _learn(self, context: Context) -> None:
        """What a sweep does besides."""
        if self.chance.random.random() < 0.3:
            learn(context)
        self._mislead(context)

    def _mislead(self, context: Context) -> None:
        """Now and then webhooks seem to have stopped, for no reason."""
        if self.chance.scenario.misled and self.chance.random.random() < 0.1:
            self.chance.trace("fleet", "jobs are brought forward")
            with context.store.write(durable=False) as tx:
                begin(tx, everywhere(channel_of(DEFAULT, None)))
            recall(context)

    def due_now(self, task: Task) -> bool:
        """Whether a claim would find something."""
        now = self.scheduler.now
        return any(due_at <= now for kind, due_at in self.mirror.moments(self.free_at) if kind is task)

    def _sweep(self) -> None:
        """Beat sends each second; what would find nothing is mostly left out, since it costs time."""
        now, random = self.scheduler.now, self.chance.random
        soonest = min((at for _, at in self.mirror.moments(self.free_at)), default=inf)
        if soonest <= now or random.random() < 0.05:
            self.ask_for_sweep()
        # A little late: the countdowns that were sent are mostly there first.
        late = 1.0 + 4.0 * random.random()
        self.scheduler.after(min(max(soonest - now, 0.0) + late, LONGEST_GAP), self._sweep)

    # faults at the places where the product says that they may come

    def reached(self, in_transaction: bool) -> None:
        """A fault point was reached by whoever has the turn."""
        activity, happens = whoever(), self.chance.happens
        if activity is None:
            return
        process, random = activity.owner, self.chance.random
        assert isinstance(process, Process)
        if happens(Fault.CRASH):
            self.die(process)
            raise Crash
        if in_transaction:
            return
        if happens(Fault.STALL):
            self.scheduler.wait(random.choice(STALLS) * random.random())
        elif happens(Fault.PAUSE):
            self.pause(process)
            self.scheduler.wait(0.0)
        elif not self.chance.scenario.quick and random.random() < 0.3:
            self.scheduler.wait(0.3 * random.random() ** 3)

    def asking(self, process: Process) -> None:
        """A process begins to wait for the gateway."""
        if self.chance.happens(Fault.CRASH_WAITING):

            def fall() -> None:
                if process.alive:
                    self.die(process)

            self.scheduler.after(self.chance.random.random(), fall, process)
