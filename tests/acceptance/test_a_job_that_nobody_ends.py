"""The gateway never expires a job by itself: our deadline ends it, and a late outcome still counts."""

from pathlib import Path

from orchestrator.core.blame import Fault
from orchestrator.core.job import HandOffKind
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_made_once, assert_nothing_else, assert_whole, outcome_of


def test_it_times_out_and_a_late_result_is_better_than_none(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    never, late = database.submit(wanted(outcome="never"), wanted(outcome="never"))
    for job in (never, late):
        database.wait_for(job, "the gateway has it", lambda job: job.state is State.WAITING)
        database.let_deadline_pass(job)
    database.wait([never, late])
    for job in (never, late):
        outcome = outcome_of(orchestrator, job)
        assert (outcome["outcome"], outcome["blame"]) == (State.TIMED_OUT, Fault.DEADLINE)

    sandbox.trigger(str(database.job(late).gateway_id), "video.completed")
    database.wait_for(late, "the late result counts", lambda job: job.state is State.COMPLETED)
    database.wait([late])
    (output,) = [one for one in database.owed(late) if one.kind is HandOffKind.OUTPUT]
    assert_whole(output)
    served = sandbox.content(str(database.job(late).gateway_id))
    assert Path(str(output.location)).read_bytes() == served
    assert database.job(never).state is State.TIMED_OUT
    for job in (never, late):
        assert_made_once(sandbox, job, database.job(job).gateway_id)
    assert_nothing_else(orchestrator)
