"""What a job's rows mean, in words."""

from __future__ import annotations

from collections import Counter

from orchestrator.cli.screen import ago, text
from orchestrator.core.job import HandOffKind, HandOffState, Job
from orchestrator.core.lifecycle import State
from orchestrator.engine.standing import Standing

WAYS_OUT = (
    ("--adopt GATEWAY_ID", "the gateway's own list shows which job it made; costs nothing more"),
    ("--resubmit", "create it again; if the first call did make a job, you pay for both"),
    ("--give-up", "stop waiting; if a webhook still arrives, it counts"),
)

_NOWHERE = "in the archive, for no destination"
_ELSEWHERE = "its outputs are not kept here, and no destination is told of them"


def doing(standing: Standing) -> str:
    """What happens with a job now, or how it ended; safe to print."""
    return text(_doing(standing))


def _doing(standing: Standing) -> str:
    job = standing.job
    if job.needs_person:
        return "nobody knows whether the gateway made it; settle it with `orchestrator resolve`"
    if job.state is State.ACCEPTED and standing.held:
        return f"submitted, but held: {standing.held}"
    if job.state is State.ACCEPTED:
        return (
            "submitted, waiting for its turn" if not job.attempts else f"to be created again ({_reason(job)})"
        )
    if job.state is State.CREATING:
        return "asking the gateway to create it"
    if job.state is State.UNCERTAIN:
        return "the answer was lost; finding out whether the gateway made it"
    if job.state is State.WAITING:
        return _waiting(standing)
    return _ended(standing)


def next_look(standing: Standing) -> str:
    """When the job is looked at next, unless a webhook comes first."""
    due = standing.job.due_at
    if due is None:
        return ""
    return "looking now" if due <= standing.now else f"look in {ago(due - standing.now)}"


def _waiting(standing: Standing) -> str:
    job = standing.job
    said = [job.gateway_status or "the gateway has it"]
    if job.suspicion:
        said.append("making sure")
    if job.look_errors:
        said.append(f"the last look failed: {job.look_error}")
    return ", ".join(said)


def _ended(standing: Standing) -> str:
    job = standing.job
    if job.state is State.COMPLETED:
        if job.cancel_requested_at and not standing.hand_offs:
            return "cancelled by you before it was handed off"
        nowhere = _ELSEWHERE if any(one.elsewhere for one in standing.outputs) else _NOWHERE
        return _handed_off(standing) or (nowhere if standing.over else "finding out what was made")
    reason = _reason(job)
    handed = _handed_off(standing)
    return f"{reason}; {handed}" if handed else reason


def _handed_off(standing: Standing) -> str:
    archiving = [one for one in standing.hand_offs if one.kind is HandOffKind.ARCHIVE]
    late = next((one for one in archiving if one.state is HandOffState.OWED), None)
    if late is not None:
        return "fetching from the gateway" + (f" ({late.last_error})" if late.last_error else "")
    states = Counter(one.state for one in standing.deliveries)
    if not states:
        return _NOWHERE if archiving else ""
    if list(states) == [HandOffState.DONE]:
        return "handed off" if standing.job.state is State.COMPLETED else "outcome handed off"
    told = [f"{count} {state}" for state, count in sorted(states.items())]
    error = next((one.last_error for one in standing.hand_offs if one.last_error), None)
    return "hand-offs: " + ", ".join(told) + (f" ({error})" if error else "")


def _reason(job: Job) -> str:
    if job.failure:
        code = job.failure.get("code")
        return f"{job.failure['message']} [{code}]" if code else str(job.failure["message"])
    return f"no reason given (blame: {job.blame})" if job.blame else "no reason given"
