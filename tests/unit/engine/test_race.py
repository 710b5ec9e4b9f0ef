"""Which path told the end first, and by how much, from what is kept of a job."""

from typing import Any

from orchestrator.core.job import Job, Source
from orchestrator.core.lifecycle import Seen, State, Verdict
from orchestrator.engine.race import HOOK, LOOK, Race, race
from orchestrator.store.observations import Recorded


def a_job(won_by: Source | None, **facts: Any) -> Job:
    standard: dict[str, Any] = {
        "id": "job_1",
        "tenant_id": "t",
        "account_id": "a",
        "request": {},
        "state": State.COMPLETED,
        "session_id": "s",
        "accepted_at": 0.0,
        "state_since": 50.0,
        "deadline_at": 900.0,
        "created_at": 10.0,
        "settled_at": 50.0,
        "won_by": won_by,
    }
    return Job(**standard | facts)


def seen(source: Source, what: Seen, at: float) -> Recorded:
    told: dict[str, Any] = dict.fromkeys(("status", "progress", "failure", "request_id", "note", "inbox_id"))
    states = {"from_state": State.WAITING, "to_state": State.COMPLETED, "verdict": Verdict.KNOWN}
    return Recorded(job_id="job_1", seq=1, at=at, source=source, seen=what, raw=None, **told | states)


def test_the_lead_is_how_much_later_the_other_path_told_the_same() -> None:
    by_look = race(a_job(Source.POLL, hook_at=53.0), [])
    assert by_look == Race(Source.POLL, HOOK, 3.0, 40.0)
    late = [seen(Source.POLL, Seen.OPEN, 20.0), seen(Source.LIST, Seen.COMPLETED, 58.0)]
    assert race(a_job(Source.WEBHOOK), late) == Race(Source.WEBHOOK, LOOK, 8.0, 40.0)


def test_who_told_it_before_without_deciding_it_has_a_lead_below_zero() -> None:
    suspected = [seen(Source.POLL, Seen.FAILED_LIVE, 45.0)]
    ended = a_job(Source.WEBHOOK, state=State.FAILED)
    assert race(ended, suspected) == Race(Source.WEBHOOK, LOOK, -5.0, 40.0)


def test_a_path_that_never_told_it_has_no_lead_and_an_open_job_has_no_winner() -> None:
    assert race(a_job(Source.LIST), [seen(Source.WEBHOOK, Seen.OPEN, 30.0)]) == Race(
        Source.LIST, HOOK, None, 40.0
    )
    assert race(a_job(None, state=State.WAITING), []) is None
    refused = a_job(Source.CREATE, created_at=None, without_webhook=True, state=State.REJECTED)
    assert race(refused, []) == Race(Source.CREATE, None, None, None)
