"""Something late, doubled or contradicting arrives for a job that has ended: it is kept, and moves nothing."""

from orchestrator.core.lifecycle import State, Verdict
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once, outcome_of
from tests.acceptance.waiting import until


def test_a_late_event_is_kept_and_moves_nothing(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    well, badly = database.submit(wanted(duration=0.1), wanted(duration=0.1, outcome="failed"))
    database.wait([well, badly])
    before = {job: database.owed(job) for job in (well, badly)}

    for job, contradiction in ((well, "video.failed"), (badly, "video.completed")):
        gateway_id = str(database.job(job).gateway_id)
        for event in (contradiction, "video.status_changed", "video.created"):
            sandbox.trigger(gateway_id, event)
        until(
            "the contradiction is counted", lambda job=job: database.job(job).clashes == 1  # type: ignore[misc]
        )
        until(
            "all hooks have arrived",
            lambda gateway_id=gateway_id: len(sandbox.webhooks(job_id=gateway_id)) >= 4  # type: ignore[misc]
            and {row["state"] for row in sandbox.webhooks(job_id=gateway_id)} == {"delivered"},
        )

    assert database.job(well).state is State.COMPLETED
    assert database.job(badly).state is State.FAILED
    assert Verdict.CLASH in {one.verdict for one in database.timeline(well)}
    assert {job: database.owed(job) for job in (well, badly)} == before
    assert outcome_of(orchestrator, badly)["outcome"] == "failed"
    assert_delivered_once(orchestrator, sandbox, [well])


def test_a_provider_that_goes_back_on_its_word_is_not_believed(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    # A hook ends the job; the look that is to learn of its two outputs then sees something else.
    words = ("processing", "queued", "expired", "502")
    jobs = database.submit(
        *(wanted(duration=0.1, count=2, regress=word, regress_times=1) for word in words),
        # For ever: the outputs are never told, and the two that were asked for are fetched.
        wanted(duration=0.1, count=2, regress="processing"),
    )
    database.wait(jobs)
    assert_delivered_once(orchestrator, sandbox, jobs, outputs=2)
