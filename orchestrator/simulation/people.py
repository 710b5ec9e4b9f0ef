"""Callers who submit and cancel, and an operator who decides when asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from orchestrator.core.job import Updates, job_of_session
from orchestrator.core.routes import Outcome, Route
from orchestrator.engine import replay, resolve
from orchestrator.engine.submit import Submission, submit
from orchestrator.errors import RequestError
from orchestrator.simulation.chance import Scenario
from orchestrator.simulation.database import Staged
from orchestrator.simulation.gateway import GatewayJob, PretendGateway
from orchestrator.simulation.process import Process
from orchestrator.simulation.scheduler import Scheduler

AGAIN_AFTER = 30.0
HOOK = "hook"
BAD_ENDS = tuple(outcome for outcome in Outcome if outcome is not Outcome.COMPLETED)
WHITHER: tuple[tuple[Route | str, ...], ...] = (
    ("folder",),
    ("folder", "bucket"),
    ("bucket", HOOK),
    (Route("bucket", link=True), "folder"),
    ("bucket", Route("folder", link=True), HOOK),
    (Route("folder", (Outcome.COMPLETED,)), Route(HOOK, BAD_ENDS, link=True)),
    (Route("folder", BAD_ENDS), Route(HOOK, (Outcome.COMPLETED,), link=True)),
    (),
)


@dataclass(slots=True)
class People:
    """What people do. `console` is a process that lives for one command.

    `told` is called for each job whose caller hears that it was accepted.
    """

    scheduler: Scheduler
    random: Random
    scenario: Scenario
    console: Callable[[], Process]
    gateway: PretendGateway
    told: Callable[[str], None]
    accepted: list[str] = field(default_factory=list)  # jobs that callers were told of
    cancelled: set[str] = field(default_factory=set)  # jobs that they were told are cancelled
    to_come: int = 0
    _reconsidered: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    _missed: set[int] = field(default_factory=set)

    def begin(self) -> None:
        """Plan the submissions."""
        for _ in range(self.scenario.jobs):
            self.to_come += 1
            self.scheduler.after(self.random.choice((0.0, 0.0, 20.0)) * self.random.random(), self._submit)

    def ask(self, job_id: str) -> None:
        """A job needs a person."""
        if job_id not in self.asked:
            self.asked.add(job_id)
            self.scheduler.after(self.scenario.operator_after, lambda: self._decide(job_id))

    def reconsider(self, job_id: str) -> None:
        """A job ended without an end of the gateway's: now and then an operator finds its job there."""
        if job_id in self._reconsidered or self.random.random() < 0.6:
            return
        self._reconsidered.add(job_id)
        mine = self._made_for(job_id)
        if mine:
            self.to_come += 1
            self.scheduler.after(60 * self.random.random(), lambda: self._adopt(job_id, mine[-1].id))

    def miss(self, hand_off_id: int, job_id: str) -> None:
        """An output could not be had: now and then an operator has it tried once more."""
        if hand_off_id not in self._missed and self.random.random() < 0.7:
            self.to_come += 1
            self.scheduler.after(200 * self.random.random(), lambda: self._try_again(hand_off_id, job_id))
        self._missed.add(hand_off_id)

    def _try_again(self, hand_off_id: int, job_id: str) -> None:
        console = self.console()

        def act() -> None:
            self.to_come -= 1
            if job_id in self.cancelled:
                return
            try:
                console.send(replay.replay_hand_off(console.context, hand_off_id))
            except (RequestError, Staged):
                return

        console.begin("operator", act)

    def _adopt(self, job_id: str, gateway_id: str) -> None:
        console = self.console()

        def act() -> None:
            self.to_come -= 1
            try:
                console.send(resolve.adopt(console.context, job_id, gateway_id))
            except (RequestError, Staged):
                return

        console.begin("operator", act)

    def _made_for(self, job_id: str) -> list[GatewayJob]:
        return [job for job in self.gateway.jobs.values() if job_of_session(job.session_id) == job_id]

    def _submit(self) -> None:
        random = self.random
        request = {"model": "google/veo-3.1-lite", "prompt": "p", "sample_count": random.choice((1, 1, 2))}
        wanted = Submission(
            request,
            updates=random.choice((Updates.HYBRID, Updates.HYBRID, Updates.HYBRID, Updates.POLL)),
            destinations=random.choice(WHITHER),
        )
        console = self.console()
        if not console.context.settings.keep_outputs:
            wanted = replace(wanted, destinations=tuple(_told(one) for one in wanted.destinations or ()))

        def act() -> None:
            self.to_come -= 1
            try:
                jobs, follow_ups = submit(console.context, [wanted])
            except Staged:
                return  # the caller is told, and knows that it may have been kept all the same
            for job in jobs:
                self.accepted.append(job.id)
                self.told(job.id)
            console.send(follow_ups)
            if random.random() < 0.3:
                self.scheduler.after(60 * random.random() ** 2, lambda: self._cancel(jobs[0].id))

        console.begin("submit", act)

    def _cancel(self, job_id: str) -> None:
        console = self.console()

        def act() -> None:
            try:
                _, follow_ups = resolve.cancel(console.context, job_id)
            except Staged:
                return  # the caller does not know
            self.cancelled.add(job_id)
            console.send(follow_ups)

        console.begin("cancel", act)

    def _decide(self, job_id: str) -> None:
        console, random = self.console(), self.random
        mine = self._made_for(job_id)

        def act() -> None:
            self.asked.discard(job_id)
            try:
                if mine and random.random() < 0.7:
                    console.send(resolve.adopt(console.context, job_id, random.choice(mine).id))
                elif random.random() < 0.5:
                    console.send(resolve.resubmit(console.context, job_id))
                else:
                    console.send(resolve.give_up(console.context, job_id))
            except RequestError:
                return  # it needs nobody any more
            except Staged:
                self.ask(job_id)

        console.begin("operator", act)


def _told(route: Route | str) -> Route:
    """The same, told where outputs are instead of being brought them."""
    return replace(Route(route) if isinstance(route, str) else route, link=True)
