"""What observations change about a job, one story each."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.core import effects
from orchestrator.core.blame import Fault
from orchestrator.core.effects import Policy
from orchestrator.core.job import Failure, Job, Observation, OutputSeen, Source
from orchestrator.core.learned.paces import Pace, Paces, Schedule, Why
from orchestrator.core.learned.plan import Plan
from orchestrator.core.lifecycle import LIVE_NEGATIVE, SETTLED, Seen, State, Verdict
from tests.unit.core.jobs import NOW, REASON, a_job, driven, effect, outputs, saw

LIVE_TO_STORED = {
    Seen.FAILED_LIVE: Seen.FAILED_STORED,
    Seen.CANCELLED_LIVE: Seen.CANCELLED_STORED,
    Seen.EXPIRED_LIVE: Seen.EXPIRED_STORED,
}


def hooked(seen: Seen) -> Observation:
    return saw(seen, Source.WEBHOOK, gateway_id="G-1")


@pytest.mark.parametrize("live", sorted(LIVE_NEGATIVE))
def test_a_live_bad_end_is_a_suspicion_that_stored_evidence_confirms(live: Seen) -> None:
    made = driven(a_job(), saw(live, failure=REASON))
    assert made.job.state is State.WAITING
    assert made.job.suspicion is live
    made.apply(saw(LIVE_TO_STORED[live], Source.LIST))
    assert made.job.state in SETTLED
    assert made.job.suspicion is None
    assert made.job.failure == REASON.as_json()


def test_a_suspicion_is_dropped_when_a_look_takes_it_back() -> None:
    made = driven(a_job(), saw(Seen.FAILED_LIVE, failure=REASON), saw(Seen.OPEN))
    assert made.job.suspicion is None
    assert made.job.failure is None
    assert made.last.keep, "the timeline says that it was taken back"


@pytest.mark.parametrize("source", [Source.LIST, Source.WEBHOOK])
def test_an_open_word_in_stored_state_does_not_drop_a_suspicion(source: Source) -> None:
    made = driven(a_job(), saw(Seen.FAILED_LIVE, failure=REASON), saw(Seen.OPEN, source))
    assert made.job.suspicion is Seen.FAILED_LIVE


def test_a_suspected_job_still_completes() -> None:
    made = driven(a_job(), saw(Seen.EXPIRED_LIVE, failure=REASON), hooked(Seen.COMPLETED))
    assert made.job.state is State.COMPLETED
    assert made.job.failure is None
    assert made.job.suspicion is None


def test_a_create_answered_with_a_bad_end_is_looked_at_at_once() -> None:
    made = driven(a_job(State.CREATING), saw(Seen.FAILED_LIVE, Source.CREATE, gateway_id="G-1"))
    assert made.job.state is State.WAITING
    assert made.job.due_at == NOW


def test_the_reason_of_an_earlier_attempt_does_not_become_the_reason_of_the_end() -> None:
    made = driven(
        a_job(State.CREATING),
        saw(Seen.NO_JOB, Source.CREATE, failure=Failure("the key's own limit")),
        saw(Seen.ATTEMPT, Source.CREATE),
        saw(Seen.FAILED_LIVE, Source.CREATE, gateway_id="G-1"),
        saw(Seen.FAILED_STORED, Source.LIST),
    )
    assert made.job.state is State.FAILED
    assert made.job.failure is None


def test_a_look_that_completes_a_job_brings_its_outputs_along() -> None:
    made = driven(a_job(request={"sample_count": 3}), saw(Seen.COMPLETED, outputs=outputs(3)))
    assert len(made.keys) == 3
    assert made.job.due_at is None


def test_no_outputs_listed_means_one() -> None:
    made = driven(a_job(request={"sample_count": 2}), saw(Seen.COMPLETED, outputs=()))
    assert made.keys == ["job_1/0/folder"]


def test_a_look_that_regresses_does_not_reopen_and_leaves_the_outputs_to_learn() -> None:
    made = driven(
        a_job(request={"sample_count": 2}), hooked(Seen.COMPLETED), saw(Seen.OPEN, status="processing")
    )
    assert made.job.state is State.COMPLETED
    assert made.last.step.verdict is Verdict.LATE
    assert made.job.detail_tries == effects.DETAIL_TRIES, "whoever looked counts the try"
    assert not made.owed


def test_outputs_that_no_look_tells_are_taken_to_be_those_asked_for() -> None:
    made = driven(a_job(request={"sample_count": 2}), hooked(Seen.COMPLETED))
    made.give_up_detail()
    assert made.keys == ["job_1/0/folder", "job_1/1/folder"]
    assert made.job.detail_tries == 0
    assert made.job.due_at is None


def test_the_list_cannot_tell_outputs() -> None:
    made = driven(a_job(request={"sample_count": 2}), hooked(Seen.COMPLETED))
    made.apply(saw(Seen.COMPLETED, Source.LIST))
    assert made.job.detail_tries
    assert not made.owed


def test_a_late_outcome_counts_after_our_deadline() -> None:
    made = driven(a_job(), saw(Seen.DEADLINE, Source.CLOCK), hooked(Seen.COMPLETED))
    assert made.job.state is State.COMPLETED
    assert made.keys == ["job_1/timed_out/folder", "job_1/0/folder"]
    assert made.job.blame is None


def test_a_late_webhook_does_not_reopen_a_failed_job() -> None:
    made = driven(a_job(State.FAILED), hooked(Seen.COMPLETED))
    assert made.job.state is State.FAILED
    assert made.job.clashes == 1
    assert made.last.keep
    assert not made.owed


@pytest.mark.parametrize(
    ("job", "seen", "blame"),
    [
        (a_job(State.CREATING), saw(Seen.REFUSED, Source.CREATE), Fault.REQUEST),
        (a_job(State.CREATING), saw(Seen.REFUSED, Source.CREATE, blame=Fault.PROVIDER), Fault.PROVIDER),
        (a_job(State.WAITING), saw(Seen.DEADLINE, Source.CLOCK), Fault.DEADLINE),
        (a_job(State.UNCERTAIN), saw(Seen.DEADLINE, Source.CLOCK), Fault.UNCERTAIN_CREATE),
        (a_job(State.UNCERTAIN), saw(Seen.GIVE_UP, Source.OPERATOR), Fault.UNCERTAIN_CREATE),
        (a_job(State.ACCEPTED), saw(Seen.CANCEL, Source.OPERATOR), Fault.CALLER),
    ],
)
def test_every_end_but_completed_says_whose_doing_it_was(job: Job, seen: Observation, blame: Fault) -> None:
    assert driven(job, seen).job.blame is blame


def test_a_cancel_before_the_create_leaves_nothing_to_look_for() -> None:
    made = driven(a_job(State.ACCEPTED, due_at=NOW), saw(Seen.CANCEL, Source.OPERATOR))
    assert made.job.state is State.CANCELLED
    assert made.job.due_at is None
    assert made.job.detail_tries == 0


def test_a_move_ends_the_lease_except_when_the_create_begins() -> None:
    held: dict[str, Any] = {"leased_by": "w", "lease_until": NOW + 60, "fence": 7}
    done = effect(a_job(**held), hooked(Seen.COMPLETED))
    assert (done.changes["leased_by"], done.changes["fence"]) == (None, 8)
    begun = effect(a_job(State.ACCEPTED, **held), saw(Seen.ATTEMPT, Source.CREATE))
    assert "fence" not in begun.changes


def test_progress_only_grows() -> None:
    made = driven(a_job(progress=40), saw(Seen.OPEN, progress=10))
    assert made.job.progress == 40
    made.apply(saw(Seen.OPEN, progress=60))
    assert made.job.progress == 60


def test_looks_are_counted_and_the_guidance_is_read_again_each_time() -> None:
    made = driven(a_job(look_errors=2, poll_after=20.0), saw(Seen.OPEN, poll_after=7.0))
    assert (made.job.looks, made.job.look_errors, made.job.poll_after) == (1, 0, 7.0)
    made.apply(saw(Seen.OPEN))
    assert made.job.poll_after is None


def test_an_unchanged_look_is_not_kept_and_a_new_word_is() -> None:
    job = a_job(gateway_status="processing")
    assert not effect(job, saw(Seen.OPEN, status="processing")).keep
    assert effect(job, saw(Seen.OPEN, status="warming_up")).keep


def test_every_event_is_kept_once_however_often_it_is_delivered() -> None:
    job = a_job(State.COMPLETED)
    assert effect(job, saw(Seen.COMPLETED, Source.WEBHOOK)).keep
    assert not effect(job, saw(Seen.COMPLETED, Source.WEBHOOK, repeated=True)).keep


def test_a_repeated_event_with_fresher_data_still_moves_the_job() -> None:
    done = effect(a_job(), saw(Seen.COMPLETED, Source.WEBHOOK, repeated=True))
    assert done.changes["state"] is State.COMPLETED
    assert done.keep


def test_what_clashes_does_not_overwrite_what_is_known() -> None:
    job = a_job(State.COMPLETED, gateway_status="completed", cost_usd=0.24)
    done = effect(job, saw(Seen.FAILED_LIVE, status="failed", cost_usd=0.0, failure=REASON))
    counters = {"looks", "look_errors", "look_error", "last_look_at", "poll_after", "clashes"}
    assert set(done.changes) == counters


def test_a_job_that_begins_to_wait_gets_its_first_look_by_the_guidance() -> None:
    done = effect(a_job(State.CREATING), saw(Seen.OPEN, Source.CREATE, gateway_id="G-1"))
    assert done.changes["due_at"] == NOW + 20.0
    soon = effect(a_job(State.CREATING), saw(Seen.OPEN, Source.CREATE, gateway_id="G-1", poll_after=3.0))
    assert soon.changes["due_at"] == NOW + 3.0


def test_a_job_a_person_adopted_is_open_again_in_every_respect() -> None:
    job = a_job(State.TIMED_OUT, settled_at=NOW - 50, won_by=Source.CLOCK, blame=Fault.DEADLINE)
    made = driven(job, saw(Seen.ADOPT, Source.OPERATOR, gateway_id="G-1"))
    assert made.job.state is State.WAITING
    assert (made.job.settled_at, made.job.won_by, made.job.blame) == (None, None, None)


def test_an_output_that_is_announced_keeps_its_index_and_size() -> None:
    done = effect(a_job(), saw(Seen.COMPLETED, outputs=(OutputSeen(0, "video/mp4", 9),)))
    assert done.outputs == (OutputSeen(0, "video/mp4", 9),)


def test_who_has_learned_places_the_first_look_again_where_a_webhook_was_quicker_than_the_answer() -> None:
    job = a_job(State.CREATING)
    told = driven(job, hooked(Seen.OPEN)).job
    answer = saw(Seen.OPEN, Source.CREATE, gateway_id="G-1", attempt_id=job.session_id)
    assert told.due_at == NOW + 20
    assert told.ending_class is not None
    plan = Plan((0.0, 900.0), (90.0, 900.0), (0.0, 1.0), (0.0, 0.0), 20.0, 100.0, None, 1.0, 1.0, 1.0)
    learned = Paces({(told.ending_class, told.channel): Schedule(Pace(Why.LEARNED, plan))})

    def due_at(job: Job, paces: Paces) -> Any:
        made = effects.effect_of(job, answer, now=NOW + 1, jitter=0.5, policy=Policy(paces=paces))
        return made.changes.get("due_at")

    assert due_at(told, learned) == NOW + 90
    assert due_at(told, Paces()) is None
    assert due_at(replace(told, looks=1), learned) is None, "a look has placed the next one since"
    assert due_at(replace(told, due_at=NOW), learned) is None, "it is due: somebody has a reason"
