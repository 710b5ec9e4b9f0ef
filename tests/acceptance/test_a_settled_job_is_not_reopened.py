"""Something late or contradicting arrives for a job that has ended: it is kept, and moves nothing."""

from orchestrator.core.lifecycle import State, Verdict
from tests.acceptance import hooks
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import SECRET, Sandbox
from tests.acceptance.truth import assert_delivered_once, outcome_of
from tests.acceptance.waiting import until


def test_a_late_event_is_kept_and_moves_nothing(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    well, badly = database.submit(wanted(duration=0.1), wanted(duration=0.1, outcome="failed"))
    database.wait([well, badly])
    before = {job: database.owed(job) for job in (well, badly)}

    for job, end in ((well, "failed"), (badly, "completed")):
        gateway_id = str(database.job(job).gateway_id)
        for status in (end, "processing", "queued", end):
            told = hooks.send(orchestrator.receiver, SECRET, gateway_id, f"video.{status}", status)
            assert told == (200, {"status": "applied"})
        sandbox.trigger(gateway_id, "video.created")  # its data tells the end that is stored
    until("the late hooks have come", lambda: sum(one.deliveries for one in database.inbox()) >= 14)

    assert database.job(well).state is State.COMPLETED
    assert database.job(badly).state is State.FAILED
    for job in (well, badly):
        assert database.job(job).clashes == 2
        verdicts = [one.verdict for one in database.timeline(job)]
        assert verdicts.count(Verdict.CLASH) == 2
        assert verdicts.count(Verdict.LATE) == 2
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
