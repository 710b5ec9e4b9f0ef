"""A look is answered with an error, or with a bad end that the provider takes back: the job goes on."""

from typing import Any

import pytest

from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.load import finish
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once

TROUBLES: dict[str, dict[str, Any]] = {
    "the gateway's 502": {"get_502": 1},
    "a provider's 404 inside a 502": {"get_502": 1, "get_502_status": 404},
    "a plain text 500": {"get_500": 1},
    "not found just after the create": {"not_found_for": 1.5},
    "a failure that is taken back": {"live_negative": "failed", "live_negative_times": 1},
    "an expiry that is taken back": {"live_negative": "expired", "live_negative_times": 1},
    "no hint of when to look again": {"poll_after_seconds": "absent"},
    "a word nobody knows": {"status_word": "pondering"},
}


@pytest.mark.parametrize("updates", list(Updates))
def test_the_job_completes(updates: Updates, begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    jobs = database.submit(*(wanted(updates=updates, outcome="never", **one) for one in TROUBLES.values()))
    for job, trouble in zip(jobs, TROUBLES, strict=True):
        well = f"{trouble}: it was looked at, and again until the answer was a good one"
        database.wait_for(job, well, lambda job: job.looks >= 2 and not job.look_error)
    finish(orchestrator, sandbox, jobs)
    database.wait(jobs)

    assert_delivered_once(orchestrator, sandbox, jobs)
    for job, trouble in zip(jobs, TROUBLES, strict=True):
        reached = {one.to_state for one in database.timeline(job)}
        assert reached == {State.CREATING, State.WAITING, State.COMPLETED}, trouble
    answers = [one["status"] for one in sandbox.requests("GET", path="/v1/videos/")]
    failed = sum(status >= 400 for status in answers)
    assert failed >= 3
    assert orchestrator.told("look_failed", failed)
