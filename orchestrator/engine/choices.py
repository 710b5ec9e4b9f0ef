"""What a person may do about a job now, what it would lead to, and why not what it is too late for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.core.access import Scope
from orchestrator.core.job import HandOffState, Job
from orchestrator.core.lifecycle import SETTLED, State
from orchestrator.engine.standing import Standing
from orchestrator.store.hand_offs import GIVEN_UP


class Act(StrEnum):
    """What can be done about a job."""

    CANCEL = "cancel"  # want it no more
    RETRY = "retry"  # ask for it once more, as a new job
    REPLAY = "replay"  # try again what could not be handed off
    LOOK = "look"  # ask the gateway about it as soon as that may be
    SETTLE = "settle"  # say what became of a create whose answer was lost


SCOPES: Mapping[Act, Scope] = {
    Act.CANCEL: Scope.SUBMIT,
    Act.RETRY: Scope.SUBMIT,
    Act.REPLAY: Scope.OPERATE,
    Act.LOOK: Scope.OPERATE,
    Act.SETTLE: Scope.OPERATE,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether something can be done, and in words what it leads to, or why it cannot."""

    possible: bool
    words: str


def choices(found: Standing) -> dict[Act, Choice]:
    """What can be done about a job, whoever may do it."""
    job = found.job
    return {
        Act.CANCEL: _cancel(found),
        Act.RETRY: _retry(job),
        Act.REPLAY: _replay(found),
        Act.LOOK: _look(job),
        Act.SETTLE: _settle(job),
    }


def _cancel(found: Standing) -> Choice:
    job = found.job
    if job.cancel_requested_at is not None or job.state is State.CANCELLED:
        return Choice(False, "it was cancelled already")
    if job.state is State.ACCEPTED:
        return Choice(True, "it is not created yet: nothing is made, and nothing is billed")
    if job.state not in SETTLED:
        return Choice(
            True,
            "the gateway cannot cancel: it goes on, and bills what it makes; nothing of it is handed off",
        )
    if any(one.state is HandOffState.OWED for one in found.hand_offs):
        return Choice(True, "it has ended, which stays so; what was not handed off yet is not any more")
    return Choice(False, f"it is {job.state}, and nothing is owed for it any more: there is nothing to stop")


def _retry(job: Job) -> Choice:
    if job.state not in SETTLED:
        return Choice(False, f"it is {job.state}: only a job that ended badly is tried again")
    if job.state is State.COMPLETED:
        return Choice(False, "it completed: only a job that ended badly is tried again")
    return Choice(True, "a new job asks for the same once more, and is billed as any other")


def _replay(found: Standing) -> Choice:
    gone = sum(one.state in GIVEN_UP for one in found.hand_offs)
    if gone:
        return Choice(True, f"{gone} given up so far: tried again from the first attempt on")
    return Choice(False, "nothing that is owed for it was given up")


def _look(job: Job) -> Choice:
    if job.state in (State.ACCEPTED, State.CREATING):
        return Choice(False, f"it is {job.state}: the gateway does not have it yet")
    if job.due_at is None:
        return Choice(False, f"it is {job.state}, and a look could tell nothing more")
    if job.leased_by is not None:
        return Choice(False, "a worker is looking at it now")
    return Choice(True, "the gateway is asked about it as soon as it wants to be asked again")


def _settle(job: Job) -> Choice:
    if job.state is State.UNCERTAIN:
        return Choice(True, "say which job of the gateway's it is, risk another one, or give it up")
    if job.state is State.WAITING and job.unconfirmed:
        return Choice(
            True, "the gateway job that a person named is not confirmed: name another if it was wrong"
        )
    return Choice(False, f"it is {job.state}: only an uncertain create is settled by a person")
