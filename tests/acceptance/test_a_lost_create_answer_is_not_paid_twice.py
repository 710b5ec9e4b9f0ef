"""The gateway makes the job, and its answer never arrives: the job is found by its session id."""

from typing import Any

import pytest

from orchestrator.core.job import Source, Updates
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once

LOSSES: dict[str, dict[str, Any]] = {
    "the answer comes after our time is up": {"create_delay": 3.0},
    "the connection is cut": {"create_error": "cut_after"},
    "a plain text 500": {"create_error": "text_500_after"},
    "the gateway could not keep the job it made": {"create_error": "persistence_failed"},
    "a 502 whose provider may have it": {"create_error": "executor_throws"},
}
HOOKS: dict[str, dict[str, Any]] = {
    "hooks": {},
    "no hooks": {"updates": Updates.POLL},
    "lost hooks": {"webhook_lose": "all"},
}


@pytest.mark.parametrize("hooks", HOOKS)
def test_the_job_is_adopted_and_made_once(hooks: str, begin: Begin, sandbox: Sandbox) -> None:
    for _ in range(3):
        sandbox.create(duration=0)  # somebody else's jobs are in the same list
    orchestrator = begin(sandbox, create_timeout_seconds=1.2)
    orchestrator.start()
    database = orchestrator.database
    jobs = database.submit(*(wanted(duration=0.3, **HOOKS[hooks], **loss) for loss in LOSSES.values()))
    database.wait(jobs)

    assert_delivered_once(orchestrator, sandbox, jobs)
    assert len(sandbox.requests("POST", path="/v1/videos")) == len(jobs) + 3
    for job, loss in zip(jobs, LOSSES, strict=True):
        assert database.job(job).attempts == 1, loss
        finders = {one.source for one in database.timeline(job) if one.from_state in _OPEN_CREATES}
        assert finders & ({Source.WEBHOOK, Source.LIST} if hooks == "hooks" else {Source.LIST}), loss
    assert not [job for job in database.jobs() if job.needs_person]


_OPEN_CREATES = {State.CREATING, State.UNCERTAIN}
