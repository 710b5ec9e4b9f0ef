"""What the API tells of jobs, as the rows that it was told from: so it is printed as those are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.core.blame import Finding
from orchestrator.core.job import HandOff, HandOffState, Job, Output
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import Route
from orchestrator.engine.standing import Standing
from orchestrator.store.api_keys import ApiKey
from orchestrator.store.observations import Recorded
from orchestrator.wire import access
from orchestrator.wire import jobs as wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Standing):
    """Where a job stands, as far as the API tells: nothing of how outputs come into the archive."""

    told: wire.Job

    @property
    def over(self) -> bool:
        """As the API says."""
        return self.told.over

    @property
    def well(self) -> bool:
        """Whether it completed and every destination has everything."""
        done = all(one.state is HandOffState.DONE for one in self.hand_offs)
        kept = all(one.available or one.sha256 or not one.kept for one in self.told.outputs)
        wanted = self.told.state is State.COMPLETED and not self.told.cancel_requested_at
        return self.told.over and wanted and done and kept


def standing(told: wire.Job, now: float) -> Told:
    """Where a job stands; `now` is this machine's."""
    return Told(
        job=job(told),
        outputs=tuple(_output(told.id, one) for one in told.outputs),
        hand_offs=tuple(hand_off(told.id, one) for one in told.hand_offs),
        now=now,
        held=told.held,
        told=told,
    )


def job(told: wire.Job) -> Job:
    """A job's row; what is not told of it is as at its beginning."""
    same = (
        "id request state reference end_user retry_of traceparent metadata updates gateway_id gateway_status "
        "provider model progress blame cost_usd won_by looks webhooks clashes needs_person"
    )
    return Job(
        **{name: getattr(told, name) for name in same.split()},
        tenant_id="",
        account_id=told.account,
        session_id="",
        destinations=tuple(Route(name) for name in told.destinations),
        failure=_failure(told.error),
        request_id=told.gateway_request_id,
        accepted_at=told.accepted_at.timestamp(),
        state_since=told.state_since.timestamp(),
        deadline_at=told.deadline_at.timestamp(),
        settled_at=_seconds(told.settled_at),
        created_at=_seconds(told.created_at),
        cancel_requested_at=_seconds(told.cancel_requested_at),
    )


def hand_off(job_id: str, told: wire.HandOff) -> HandOff:
    """A hand-off's row."""
    same = "id destination kind state output_index outcome attempts last_error last_status location"
    return HandOff(
        **{name: getattr(told, name) for name in same.split()},
        key="",
        tenant_id="",
        job_id=job_id,
        lane="",
        created_at=told.created_at.timestamp(),
        due_at=_seconds(told.next_attempt_at),
        done_at=_seconds(told.done_at),
    )


def recorded(job_id: str, told: wire.TimelineEntry) -> Recorded:
    """One thing learned about a job."""
    same = "seq source seen verdict from_state to_state progress note"
    return Recorded(
        **{name: getattr(told, name) for name in same.split()},
        job_id=job_id,
        at=told.at.timestamp(),
        status=told.gateway_status,
        failure=_failure(told.error),
        request_id=told.gateway_request_id,
        inbox_id=None,
        raw=None,
    )


def finding(told: wire.Finding) -> Finding:
    """One thing that went wrong with a job."""
    same = "fault evidence of_end addressee text_for_support times overcome"
    return Finding(
        **{name: getattr(told, name) for name in same.split()},
        at=told.at.timestamp(),
        last_at=told.last_at.timestamp(),
        request_id=told.gateway_request_id,
    )


def key(told: access.Key, tenant: str) -> ApiKey:
    """A key's row."""
    return ApiKey(
        id=told.id,
        tenant_id=tenant,
        name=told.name,
        scopes=frozenset(told.scopes),
        created_at=told.created_at.timestamp(),
        expires_at=_seconds(told.expires_at),
        revoked_at=_seconds(told.revoked_at),
        last_used_at=_seconds(told.last_used_at),
    )


def _output(job_id: str, told: wire.Output) -> Output:
    same = "index mime_type bytes sha256 missing kept"
    facts = {name: getattr(told, name) for name in same.split()}
    return Output(**facts, job_id=job_id, announced_bytes=told.bytes)  # whoever counted them


def _failure(told: wire.Error | None) -> dict[str, Any] | None:
    return None if told is None else told.model_dump()


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
