"""One seed's world, put together and run to its end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, cast

from orchestrator.core.job import HandOffKind
from orchestrator.core.learned.paces import Paces
from orchestrator.core.lifecycle import State
from orchestrator.engine.catalogue import Catalogue
from orchestrator.engine.context import Context, Quota
from orchestrator.engine.follow_up import Task
from orchestrator.engine.receive import receive
from orchestrator.engine.take import Fate
from orchestrator.fault_points import FaultPoint
from orchestrator.simulation.archive import PretendArchive
from orchestrator.simulation.broker import Broker
from orchestrator.simulation.chance import START, draw
from orchestrator.simulation.checking import Mirror
from orchestrator.simulation.client import PretendClient
from orchestrator.simulation.database import SimulatedStore, Staged
from orchestrator.simulation.ending import Ending
from orchestrator.simulation.equipment import settings_of, sinks_of
from orchestrator.simulation.fleet import Fleet
from orchestrator.simulation.gateway import PretendGateway
from orchestrator.simulation.hooks import Hooks
from orchestrator.simulation.invariants import Invariant, Row, Violation
from orchestrator.simulation.leases import Leases
from orchestrator.simulation.loop import VirtualHttp
from orchestrator.simulation.misled import Misled
from orchestrator.simulation.outside import Outside
from orchestrator.simulation.owing import GIVEN_UP, Owing
from orchestrator.simulation.people import People
from orchestrator.simulation.process import Process
from orchestrator.simulation.scheduler import Activity, Scheduler, whoever
from orchestrator.simulation.tools import Chance, Trace
from orchestrator.simulation.witness import Witness
from orchestrator.store import jobs
from orchestrator.store.schema import DEFAULT
from orchestrator.tasks.sending import Sender

# Seconds after everything has healed: longer than the longest pause between two attempts at a hand-off.
ENDS_WITHIN = 18_000.0
MOST_STEPS = 50_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one seed ended. `virtual` is how many seconds passed in it."""

    seed: int
    steps: int
    transactions: int
    virtual: float
    violation: Violation | None
    trace: list[str] | None = None


class World:
    """Everything of one seed."""

    def __init__(self, seed: int, store: SimulatedStore, *, traced: bool = False) -> None:
        self.seed = seed
        random = Random(seed)
        self.scenario = draw(random, seed)
        self.scheduler = Scheduler(START)
        self.trace = Trace(self.clock, [] if traced else None)
        self.chance = Chance(random, self.scenario, self.clock, self.trace)
        self.store = store
        seen = self.witness = Witness(self.scheduler, self.trace, store)
        self.scheduler.broke = seen.ended
        self.hooks = Hooks(self.scheduler, self.chance, self._deliver_hook, seen.acknowledged)
        self.gateway = PretendGateway(
            self.scheduler, self.chance, self.scenario.list_reaches, self.hooks.announce, seen.made
        )
        self.sinks = sinks_of(self.scheduler, self.chance, seen)
        self.archive = PretendArchive(self.scheduler, self.chance, self.trace, lambda: store.open)
        self.fleet = Fleet(self.scheduler, self.chance, self._equip)
        self.people = People(
            self.scheduler, random, self.scenario, self.fleet.console, self.gateway, seen.accepted
        )
        leases = Leases(self.fleet.held, self.fleet.worked_on)
        jobs: dict[str, Row] = {}
        owing = Owing(self.clock, leases, self.gateway, self.archive, self.sinks, self.people.cancelled, jobs)
        self.mirror = Mirror(self.clock, leases, self.gateway, owing, jobs)
        seen.outside = Outside(self.mirror)
        self.ending = Ending(self.mirror)
        self.keeps_outputs = self.scenario.keeps_outputs
        self.broker = Broker(self.scheduler, self.chance, self.fleet.deliver, seen.sending)
        self._ids = 0
        self._beats: dict[str, float] = {}

    def clock(self) -> float:
        """This moment, in epoch seconds."""
        return self.scheduler.now

    def run(self) -> Outcome:
        """Let everything happen, until all is over or something broke."""
        self.store.begin(self.clock, self.chance, self._write_beats, self._committed)
        self.fleet.mirror = self.mirror
        self.fleet.ask_for_sweep = self._ask_for_sweep
        self.fleet.begin(self.scenario.workers)
        self.people.begin()
        self._plan_strangers()
        if self.scenario.switches_at is not None:
            self.scheduler.after(self.scenario.switches_at, self._switch)
        latest = START + self.scenario.heals_at + ENDS_WITHIN
        while self.witness.violation is None and self.scheduler.step():
            if self.scheduler.steps % 16 == 0 and self._over():
                break
            if self.clock() > latest or self.scheduler.steps > MOST_STEPS:
                never = "; ".join(self.ending.unfinished()) or "it never rests"
                self.witness.report([(Invariant.ENDS, never)])
        if self.witness.violation is None:
            self.witness.report(self.ending.broken(self.people.accepted, self._existing()))
        self._let_go()
        return Outcome(
            self.seed,
            self.scheduler.steps,
            self.witness.transactions,
            self.clock() - START,
            self.witness.violation,
            self.trace.lines,
        )

    def reached(self, point: FaultPoint) -> None:
        """A fault point was reached."""
        activity = whoever()
        if activity is not None:
            self.trace(activity.owner.name, point)
        self.fleet.reached(self.store.open)

    # how it is put together

    def _equip(self, process: Process) -> None:
        """What `wiring.build` does, with pretend things."""
        process.http = VirtualHttp(self.scheduler, process, lambda: self._waits(process))
        client = PretendClient(
            self.gateway,
            self.scheduler,
            self.chance,
            self.scenario.hooks,
            lambda what, about: self.witness.asked(process, what, about),
            self.witness.heard,
        )
        settings = settings_of(self.scenario, keep_outputs=self.keeps_outputs)
        process.context = Context(
            settings=settings,
            store=self.store,
            http=process.http,
            gateways=cast("Any", {DEFAULT: client}),
            base_urls={DEFAULT: settings.gateway_url},
            webhook_secrets={DEFAULT: settings.webhook_secrets},
            destinations=Catalogue.of(self.sinks),
            archive=self.archive,
            link=lambda job_id, index: f"{job_id}/{index}",
            worker=f"{process.name}.{self._new_id()}",
            random=self.chance.random.random,
            new_id=self._new_id,
            pause=self.scheduler.wait,
            clock=self.clock,
            rejections=Quota(self.clock),
            paces=Misled(random=self.chance.random) if self.scenario.misled else Paces(),
        )
        process.send = Sender(cast("Any", self.broker), self.clock)

    def _switch(self) -> None:
        """An operator keeps outputs from now on, or not any more: every process is started anew."""
        self.keeps_outputs = not self.keeps_outputs
        self.trace("operator", f"keep_outputs is {self.keeps_outputs} from now on")
        for process in (*self.fleet.workers.values(), self.fleet.web):
            if process.alive:
                self.fleet.die(process)

    def _waits(self, process: Process) -> None:
        self.witness.waits(process)
        self.fleet.asking(process)

    def _new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:04d}"

    def _plan_strangers(self) -> None:
        """Jobs of other programs on the same account, which push ours out of the list."""
        if self.scenario.strangers:
            random = self.chance.random
            for number in range(int(self.scenario.strangers * self.scenario.heals_at)):
                at = START + self.scenario.heals_at * random.random()
                make = partial(self.gateway.make, f"stranger.{number}", wants_hooks=False, samples=1)
                self.scheduler.at(at, make)

    def _write_beats(self) -> None:
        for worker, at in self.fleet.beats():
            if self._beats.get(worker) != at:
                self._beats[worker] = at
                self.store.beaten(worker, at)

    def _ask_for_sweep(self) -> None:
        try:
            self.broker.send_task(Task.SWEEP)
        except OSError:
            return  # the next one comes

    def _deliver_hook(self, headers: dict[str, str], body: bytes, answer: Any) -> None:
        web = self.fleet.web
        if not web.alive:
            answer(False)
            return

        def take() -> None:
            try:
                receipt = receive(web.context, DEFAULT, headers, body, self.clock() + self.scenario.clock_off)
            except Staged:
                answer(False)
                return
            self.trace("web", f"webhook {receipt.fate}")
            answer(receipt.fate is not Fate.REJECTED)
            web.send(receipt.follow_ups)

        web.begin("receive", take)

    def _committed(self, activity: Activity | None, changed: list[tuple[str, int, Row]]) -> None:
        self.fleet.take_beats(row for table, _, row in changed if table == "workers")
        self.witness.committed(activity, [one for one in changed if one[0] != "workers"])
        for table, _, row in changed:
            if table == "jobs" and row["needs_person"]:
                self.people.ask(row["id"])
            if table == "jobs" and row["state"] in (State.TIMED_OUT, State.REJECTED):
                self.people.reconsider(row["id"])
            if table == "hand_offs" and row["state"] in GIVEN_UP and row["kind"] == HandOffKind.ARCHIVE:
                self.people.miss(row["id"], row["job_id"])

    # the end

    def _existing(self) -> set[str]:
        """The jobs that are in the database, whatever was told of them."""
        with self.store.read() as tx:
            return jobs.existing(tx, self.people.accepted)

    def _over(self) -> bool:
        """Whether nothing more will happen that matters."""
        waiting = self.people.to_come or self.people.asked or self.hooks.under_way
        return not waiting and not self._busy() and not any(self.ending.unfinished())

    def _busy(self) -> bool:
        living = (process for process in self.fleet.lives.values() if process.alive)
        return any(one.going for process in living for one in process.activities)

    def _let_go(self) -> None:
        """End what still waits, as if every process died."""
        for process in self.fleet.lives.values():
            process.alive = False
            process.http.stop()
            process.bury()
