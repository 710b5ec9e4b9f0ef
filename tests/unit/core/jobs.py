"""A job to begin with, observations in few words, and the machine driven without a store."""

from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.core.effects import Effect, Policy, effect_of, give_up_detail
from orchestrator.core.job import Failure, Job, Observation, OutputSeen, Owed, Source
from orchestrator.core.lifecycle import Seen, State
from orchestrator.core.routes import ARCHIVE, Route

NOW = 1_000.0
POLICY = Policy()
REASON = Failure("The prompt violates policy.", "content_policy")


def a_job(state: State = State.WAITING, **facts: Any) -> Job:
    """A job of one attempt; those that the gateway has are known to it as G-1."""
    known = state not in (State.ACCEPTED, State.CREATING, State.UNCERTAIN, State.REJECTED)
    standard: dict[str, Any] = {
        "id": "job_1",
        "tenant_id": "default",
        "account_id": "default",
        "request": {"model": "google/veo", "prompt": "p"},
        "state": state,
        "session_id": "job_1.1",
        "attempts": 1,
        "accepted_at": NOW - 10,
        "state_since": NOW - 5,
        "deadline_at": NOW + 3_600,
        "destinations": (Route("folder"),),
        "gateway_id": "G-1" if known else None,
    }
    return Job(**standard | facts)


def saw(seen: Seen, source: Source = Source.POLL, **told: Any) -> Observation:
    return Observation(source, seen, **told)


def effect(
    job: Job, seen: Observation, *, now: float = NOW, jitter: float = 0.0, policy: Policy = POLICY
) -> Effect:
    return effect_of(job, seen, now=now, jitter=jitter, policy=policy)


def outputs(count: int) -> tuple[OutputSeen, ...]:
    return tuple(OutputSeen(index, "video/mp4") for index in range(count))


@dataclass
class Driven:
    """A job that observations are applied to, and everything that became owed on the way."""

    job: Job
    owed: list[Owed] = field(default_factory=list)
    outputs: set[int] = field(default_factory=set)
    hastened: int = 0
    wants_stored: bool = False
    effects: list[Effect] = field(default_factory=list)
    policy: Policy = POLICY

    def apply(self, *seen: Observation) -> None:
        for one in seen:
            done = effect(self.job, one, policy=self.policy)
            self.wants_stored |= done.step.confirm
            self._carry_out(done)

    @property
    def last(self) -> Effect:
        return self.effects[-1]

    def give_up_detail(self) -> None:
        self._carry_out(give_up_detail(self.job, now=NOW, policy=self.policy))

    def _carry_out(self, done: Effect) -> None:
        self.effects.append(done)
        self.job = replace(self.job, **done.changes)
        self.owed += done.owed
        self.outputs |= {output.index for output in done.outputs}
        self.hastened += done.hasten

    @property
    def keys(self) -> list[str]:
        """What is owed to destinations."""
        return [one.key for one in self.owed if one.destination != ARCHIVE]


def driven(job: Job, *seen: Observation) -> Driven:
    made = Driven(job)
    made.apply(*seen)
    return made
