"""The job is completed and paid for, and its content is gone, late, torn or something else."""

from typing import Any

from orchestrator.core.blame import Fault
from orchestrator.core.job import HandOffState
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once, assert_nothing_else, assert_whole, outcome_of

HEALING: dict[str, dict[str, Any]] = {
    "empty": {"content": "empty", "content_fault_times": 1},
    "cut off": {"content": "cut", "content_fault_times": 2},
    "ends too early": {"content": "truncated", "content_fault_times": 1},
    "an error page": {"content": "html", "content_fault_times": 1},
    "an error as JSON": {"content": "json", "content_fault_times": 1},
    "no video": {"content": "garbage", "content_fault_times": 1},
    "not ready yet": {"content_error": "video_not_ready", "content_error_times": 1},
    "a plain text 500": {"content_error": "text_500", "content_error_times": 2},
    "missing at first": {"content_error": "missing_video_uri", "content_error_times": 2},
}


def test_what_heals_is_fetched_again_until_it_is_whole(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    jobs = database.submit(*(wanted(duration=0.1, **fault) for fault in HEALING.values()))
    database.wait(jobs)

    for job, what in zip(jobs, HEALING, strict=True):
        (archiving,) = database.archiving(job)
        assert archiving.attempts > 1, what
    assert_delivered_once(orchestrator, sandbox, jobs)


def test_what_is_gone_is_an_outcome_of_its_own(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(
        sandbox, hand_off_attempts=5, hand_off_first_retry_seconds=0.05, content_patience_seconds=0.3
    )
    orchestrator.start()
    database = orchestrator.database
    gone, dead, copied = database.submit(
        wanted(duration=0.1, content="missing"),
        wanted(duration=0.1, content_error="fetch_failed"),
        # One output is made where two were asked for, no look tells so, and every index serves the first.
        wanted(duration=0.1, count=2, outputs=1, out_of_range="first", regress="processing"),
    )
    database.wait([gone, dead, copied])

    assert database.job(gone).state is State.COMPLETED
    assert outcome_of(orchestrator, gone)["outcome"] == "output_missing-0"
    assert outcome_of(orchestrator, gone)["blame"] == Fault.OUTPUT_MISSING
    assert "missing_video_uri" in outcome_of(orchestrator, gone)["error"]["message"]
    (output,) = database.archiving(dead)
    assert output.state is HandOffState.DEAD
    assert output.attempts == 5
    assert "fetch_failed" in outcome_of(orchestrator, dead)["error"]["message"]
    assert len(orchestrator.told("hand_off_dead", job=dead)) == 1
    assert_whole(database.owed(copied)[0])
    assert outcome_of(orchestrator, copied)["outcome"] == "output_missing-1"
    assert_nothing_else(orchestrator)
