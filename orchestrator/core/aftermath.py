"""What became of a fault that a job met: whether the job still suffers from it. Pure.

A fault stays on a job's list, as what happened; whoever reads it also wants to know whether anything is left
to do.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.core.blame import OF_WEBHOOKS, Fault
from orchestrator.core.job import HandOff, HandOffKind, HandOffState, Job
from orchestrator.core.lifecycle import SETTLED, State

_STUCK = frozenset({HandOffState.OWED, HandOffState.DEAD, HandOffState.MISSING})


def overcome(fault: Fault, job: Job, hand_offs: Sequence[HandOff]) -> str | None:
    """Why the job does not suffer from it any more, in words; None while it does, or nobody can tell."""
    if fault is Fault.OUTPUT_MISSING:
        fetched = [one for one in hand_offs if one.kind is HandOffKind.ARCHIVE]
        return None if _any_stuck(fetched) else "every output is in the archive by now"
    if fault is Fault.HAND_OFF_FAILED:
        return _handed_off(hand_offs)
    if fault in OF_WEBHOOKS:
        return f"the job's end is known: {job.state}" if _ended(job) else None
    if fault is Fault.UNCERTAIN_CREATE:
        known = job.gateway_id is not None and not job.unconfirmed
        return f"the gateway has a job for it: {job.gateway_id}" if known else None
    if fault in (Fault.POLL_FAULT, Fault.GATEWAY_ERROR):
        return _answered(job)
    return None


def _handed_off(hand_offs: Sequence[HandOff]) -> str | None:
    if _any_stuck(hand_offs):
        return None
    if any(one.state is HandOffState.WITHDRAWN for one in hand_offs):
        return "nothing is owed any more: the job was cancelled"
    return "everything that was owed has been handed off by now"


def _any_stuck(hand_offs: Sequence[HandOff]) -> bool:
    return any(one.state in _STUCK for one in hand_offs)


def _ended(job: Job) -> bool:
    return job.state in SETTLED and job.state is not State.TIMED_OUT


def _answered(job: Job) -> str | None:
    """The gateway's errors are over once it tells again that it has the job, or how it ended."""
    if _ended(job):
        return f"the job's end is known: {job.state}"
    if job.state is State.WAITING and not job.look_errors:
        return "the gateway tells of the job again"
    return None
