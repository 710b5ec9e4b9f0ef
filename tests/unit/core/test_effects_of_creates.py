"""What the answer to a create, or its absence, changes about a job."""

import pytest

from orchestrator.core.blame import Fault
from orchestrator.core.job import Failure, Source
from orchestrator.core.lifecycle import Seen, State, Verdict
from tests.unit.core.jobs import NOW, a_job, driven, effect, saw
from tests.unit.core.test_effects import hooked


def test_every_attempt_has_a_session_of_its_own() -> None:
    made = driven(a_job(State.ACCEPTED, attempts=0, session_id="job_1.0"), saw(Seen.ATTEMPT, Source.CREATE))
    assert made.job.session_id == "job_1.1"
    made.apply(saw(Seen.NO_JOB, Source.CREATE), saw(Seen.ATTEMPT, Source.CREATE))
    assert made.job.session_id == "job_1.2"


@pytest.mark.parametrize(
    ("attempts", "wait"), [(1, 2.0), (2, 4.0), (3, 8.0), (6, 64.0), (7, 120.0), (50, 120.0)]
)
def test_a_create_that_made_nothing_is_tried_again_with_backoff(attempts: int, wait: float) -> None:
    done = effect(a_job(State.CREATING, attempts=attempts), saw(Seen.NO_JOB, Source.CREATE))
    assert done.changes["state"] is State.ACCEPTED
    assert done.changes["due_at"] == NOW + wait


def test_a_create_is_not_tried_again_sooner_than_the_gateway_wants() -> None:
    done = effect(a_job(State.CREATING), saw(Seen.NO_JOB, Source.CREATE, retry_after=77.0))
    assert done.changes["due_at"] == NOW + 77.0


def test_a_create_put_off_beyond_the_deadline_is_due_at_the_deadline() -> None:
    job = a_job(State.CREATING, deadline_at=NOW + 60)
    done = effect(job, saw(Seen.NO_JOB, Source.CREATE, retry_after=1e6))
    assert done.changes["due_at"] == NOW + 60


def test_an_uncertain_create_is_searched_for_soon() -> None:
    made = driven(a_job(State.CREATING), saw(Seen.LOST, Source.CREATE, failure=Failure("cut")))
    assert made.job.state is State.UNCERTAIN
    assert made.job.due_at == NOW + 5.0
    assert made.job.blame is Fault.UNCERTAIN_CREATE


def test_a_webhook_that_carries_its_session_resolves_an_uncertain_create() -> None:
    lost = saw(Seen.LOST, Source.CREATE, failure=Failure("cut"))
    made = driven(a_job(State.CREATING), lost, hooked(Seen.OPEN))
    assert made.job.state is State.WAITING
    assert (made.job.blame, made.job.failure, made.job.gateway_id) == (None, None, "G-1")


def test_a_person_who_resubmits_need_not_wait() -> None:
    made = driven(a_job(State.UNCERTAIN), saw(Seen.RESUBMIT, Source.OPERATOR))
    assert made.job.state is State.ACCEPTED
    assert made.job.due_at == NOW


@pytest.mark.parametrize("seen", [Seen.REFUSED, Seen.NO_JOB, Seen.LOST])
@pytest.mark.parametrize("state", [State.ACCEPTED, State.CREATING, State.WAITING, State.TIMED_OUT])
def test_the_answer_to_an_attempt_that_is_over_is_late(state: State, seen: Seen) -> None:
    job = a_job(state, session_id="job_1.2", attempts=2)
    done = effect(job, saw(seen, Source.CREATE, attempt_id="job_1.1"))
    assert done.step.verdict is Verdict.LATE
    assert "state" not in done.changes
    assert "clashes" not in done.changes


def test_a_job_made_by_an_earlier_attempt_is_ours_all_the_same() -> None:
    job = a_job(State.CREATING, session_id="job_1.2", attempts=2)
    made = driven(job, saw(Seen.OPEN, Source.CREATE, gateway_id="G-1", attempt_id="job_1.1"))
    assert made.job.state is State.WAITING
    assert made.job.gateway_id == "G-1"


def test_a_second_job_of_the_gateways_clashes_and_changes_nothing() -> None:
    for seen in (Seen.OPEN, Seen.COMPLETED, Seen.FAILED_STORED):
        done = effect(a_job(), saw(seen, Source.WEBHOOK, gateway_id="G-2", provider="x", progress=90))
        assert done.step.verdict is Verdict.CLASH
        assert done.changes == {"webhooks": 1, "clashes": 1}
        assert done.keep
        assert not done.owed


def test_the_id_that_comes_too_late_to_matter_is_kept_all_the_same() -> None:
    made = driven(a_job(State.TIMED_OUT, gateway_id=None), hooked(Seen.OPEN))
    assert made.job.state is State.TIMED_OUT
    assert made.job.gateway_id == "G-1"
