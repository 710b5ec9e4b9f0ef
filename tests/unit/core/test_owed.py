"""What is owed for a job, when, and to whom."""

import pytest

from orchestrator.core import effects
from orchestrator.core.blame import Fault
from orchestrator.core.effects import Policy
from orchestrator.core.job import HandOffKind, Observation, Source
from orchestrator.core.lifecycle import SETTLED, Seen, State
from orchestrator.core.routes import Outcome, Route
from tests.unit.core.jobs import NOW, REASON, Driven, a_job, driven, outputs, saw
from tests.unit.core.test_effects import hooked


def due(made: Driven) -> dict[str, float | None]:
    return {one.key: one.due_at for one in made.owed}


def test_an_output_is_brought_to_the_archive_now_and_to_destinations_once_it_is_there() -> None:
    made = driven(a_job(), hooked(Seen.COMPLETED))
    assert due(made) == {"job_1/0/archive": NOW, "job_1/0/folder": None}
    assert [one.kind for one in made.owed] == [HandOffKind.ARCHIVE, HandOffKind.OUTPUT]


def test_who_wants_links_is_told_once_of_all_outputs() -> None:
    routes = (Route("hook", link=True), Route("folder"))
    job = a_job(request={"model": "m", "sample_count": 2}, destinations=routes)
    made = driven(job, saw(Seen.COMPLETED, outputs=outputs(2)))
    assert sorted(made.keys) == ["job_1/0/folder", "job_1/1/folder", "job_1/completed/hook"]
    assert due(made)["job_1/completed/hook"] is None


def test_an_output_is_archived_although_no_destination_wants_it() -> None:
    made = driven(a_job(destinations=()), hooked(Seen.COMPLETED))
    assert due(made) == {"job_1/0/archive": NOW}


@pytest.mark.parametrize(
    ("seen", "told"),
    [(Seen.COMPLETED, ["job_1/0/all"]), (Seen.REFUSED, ["job_1/rejected/all", "job_1/rejected/bad"])],
)
def test_each_destination_is_told_only_what_it_wants(seen: Seen, told: list[str]) -> None:
    routes = (
        Route("all"),
        Route("bad", (Outcome.REJECTED, Outcome.FAILED)),
        Route("late", (Outcome.TIMED_OUT,)),
    )
    state = State.CREATING if seen is Seen.REFUSED else State.WAITING
    source = Source.CREATE if seen is Seen.REFUSED else Source.POLL
    made = driven(a_job(state, destinations=routes), saw(seen, source, failure=REASON, outputs=outputs(1)))
    assert made.keys == told


def test_a_webhook_that_completes_a_job_of_one_output_needs_no_further_request() -> None:
    made = driven(a_job(), hooked(Seen.COMPLETED))
    assert made.job.due_at is None
    assert made.job.progress == 100
    assert made.job.won_by is Source.WEBHOOK
    assert made.keys == ["job_1/0/folder"]
    assert made.outputs == {0}


def test_several_outputs_are_learned_by_one_look() -> None:
    job = a_job(request={"model": "m", "sample_count": 2}, destinations=(Route("folder"), Route("bucket")))
    made = driven(job, hooked(Seen.COMPLETED))
    assert not made.owed
    assert made.job.due_at == NOW
    assert made.job.detail_tries == effects.DETAIL_TRIES
    made.apply(saw(Seen.COMPLETED, outputs=outputs(2)))
    assert sorted(made.keys) == ["job_1/0/bucket", "job_1/0/folder", "job_1/1/bucket", "job_1/1/folder"]
    assert made.job.due_at is None
    assert made.job.detail_tries == 0


def test_a_failed_webhook_asks_for_one_look_and_waits_a_little_for_the_reason() -> None:
    made = driven(a_job(), hooked(Seen.FAILED_STORED))
    assert made.job.due_at == NOW
    assert [one.due_at for one in made.owed] == [NOW + effects.DETAIL_PATIENCE]
    made.apply(saw(Seen.FAILED_LIVE, failure=REASON))
    assert made.last.hasten
    assert made.last.keep
    assert made.job.failure == REASON.as_json()
    assert made.job.due_at is None
    assert made.keys == ["job_1/failed/folder"]


def test_the_list_has_no_reason_to_give_so_the_look_is_still_owed() -> None:
    made = driven(a_job(), hooked(Seen.FAILED_STORED), saw(Seen.FAILED_STORED, Source.LIST))
    assert made.job.detail_tries
    assert not made.hastened


def test_a_failure_without_a_reason_is_handed_off_once_the_looks_are_spent() -> None:
    made = driven(a_job(), hooked(Seen.FAILED_STORED))
    made.give_up_detail()
    assert made.hastened == 1
    assert made.job.failure is None
    assert not made.outputs


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (Seen.FAILED_STORED, "failed"),
        (Seen.CANCELLED_STORED, "cancelled"),
        (Seen.EXPIRED_STORED, "expired"),
    ],
)
def test_a_bad_end_with_its_reason_is_owed_at_once(seen: Seen, outcome: str) -> None:
    made = driven(a_job(destinations=(Route("a"), Route("b"))), saw(seen, Source.WEBHOOK, failure=REASON))
    assert made.keys == [f"job_1/{outcome}/a", f"job_1/{outcome}/b"]
    assert {one.due_at for one in made.owed} == {NOW}
    assert {one.kind for one in made.owed} == {HandOffKind.OUTCOME}
    assert made.job.blame is Fault.PROVIDER
    assert made.job.due_at is None


def test_a_cancelled_job_runs_on_but_nothing_is_owed_for_it() -> None:
    for seen in (Seen.COMPLETED, Seen.FAILED_STORED):
        made = driven(a_job(cancel_requested_at=NOW), hooked(seen))
        assert made.job.state in SETTLED
        assert not made.owed


def test_outputs_learned_after_a_cancel_are_kept_but_not_owed() -> None:
    job = a_job(cancel_requested_at=NOW, request={"sample_count": 2})
    made = driven(job, hooked(Seen.COMPLETED), saw(Seen.COMPLETED, outputs=outputs(2)))
    assert made.outputs == {0, 1}
    assert not made.owed


TELLS_ONLY = Policy(keep_outputs=False)
HOOK = Route("hook", link=True)


@pytest.mark.parametrize("seen", [hooked(Seen.COMPLETED), saw(Seen.COMPLETED, outputs=outputs(1))])
def test_where_outputs_are_not_kept_whoever_gets_links_is_told_at_once(seen: Observation) -> None:
    made = Driven(a_job(destinations=(HOOK, Route("bad", (Outcome.FAILED,)))), policy=TELLS_ONLY)
    made.apply(seen)
    assert due(made) == {"job_1/completed/hook": NOW}
    assert made.outputs == {0}
    assert made.job.due_at is None


def test_where_outputs_are_not_kept_and_nobody_is_to_be_told_nothing_is_owed() -> None:
    made = Driven(a_job(destinations=()), policy=TELLS_ONLY)
    made.apply(hooked(Seen.COMPLETED))
    assert not made.owed
    assert made.outputs == {0}


def test_what_was_promised_files_before_outputs_were_not_kept_is_brought_them() -> None:
    made = Driven(a_job(destinations=(HOOK, Route("folder"))), policy=TELLS_ONLY)
    made.apply(hooked(Seen.COMPLETED))
    assert due(made) == {"job_1/0/archive": NOW, "job_1/0/folder": None, "job_1/completed/hook": None}


def test_of_several_outputs_that_are_not_kept_one_look_says_which_there_are() -> None:
    job = a_job(request={"model": "m", "sample_count": 2}, destinations=(HOOK,))
    made = Driven(job, policy=TELLS_ONLY)
    made.apply(hooked(Seen.COMPLETED))
    assert not made.owed
    made.apply(saw(Seen.COMPLETED, outputs=outputs(2)))
    assert due(made) == {"job_1/completed/hook": NOW}
    without_an_answer = Driven(job, policy=TELLS_ONLY)
    without_an_answer.apply(hooked(Seen.COMPLETED))
    without_an_answer.give_up_detail()
    assert due(without_an_answer) == {"job_1/completed/hook": NOW}
    assert without_an_answer.outputs == {0, 1}


def test_of_a_cancelled_job_nobody_is_told_whether_outputs_are_kept_or_not() -> None:
    made = Driven(a_job(cancel_requested_at=NOW, destinations=(HOOK,)), policy=TELLS_ONLY)
    made.apply(hooked(Seen.COMPLETED))
    assert not made.owed
