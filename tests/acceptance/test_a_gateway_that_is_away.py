"""The gateway cannot be reached for a while, or answers nothing but errors: everything finishes later."""

from collections.abc import Iterator

import pytest

from orchestrator.core.job import Job, Updates
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.line import Line
from tests.acceptance.load import finish, lasting
from tests.acceptance.sandbox import HINT, Sandbox
from tests.acceptance.truth import assert_delivered_once


@pytest.fixture
def line(sandbox: Sandbox) -> Iterator[Line]:
    line = Line(sandbox)
    yield line
    line.end()


def test_an_unreachable_gateway_is_waited_for(begin: Begin, sandbox: Sandbox, line: Line) -> None:
    orchestrator = begin(sandbox, gateway_url=line.url)
    orchestrator.start()
    database = orchestrator.database
    # One of each: with a third, five failures in a row would stop all questions for a while.
    known = database.submit(*lasting(1, Updates.POLL))
    for job in known:
        database.wait_for(job, "the gateway has it", lambda job: job.state is State.WAITING)
    line.cut()
    new = database.submit(wanted(duration=0.1))
    for job in known:
        failed = database.wait_for(job, "two looks failed", lambda job: job.look_errors >= 2 and _idle(job))
        assert failed.due_at is not None
        assert failed.last_look_at is not None
        backed_off = HINT * 2**failed.look_errors
        assert failed.due_at - failed.last_look_at >= backed_off, "each error doubles the wait"
    for job in new:
        database.wait_for(job, "its create was tried", lambda job: job.attempts and _idle(job))
    line.mend()
    finish(orchestrator, sandbox, known)
    database.wait([*known, *new])

    assert_delivered_once(orchestrator, sandbox, [*known, *new])
    for job in new:
        assert database.job(job).attempts >= 2
        reached = {one.to_state for one in database.timeline(job)}
        assert State.UNCERTAIN not in reached, "surely not sent: it is tried again, and is never uncertain"


def _idle(job: Job) -> bool:
    """Whether nobody works on it at this moment."""
    return job.leased_by is None and job.state is not State.CREATING


def test_a_gateway_that_only_answers_500_is_waited_for(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    jobs = database.submit(*lasting(2, Updates.POLL))
    for job in jobs:
        database.wait_for(job, "the gateway has it", lambda job: job.state is State.WAITING)
    for fault in ({"down": "gets"}, {"down": "none", "drop": "gets"}):
        sandbox.faults(**fault)
        seen = len(orchestrator.events("look_failed"))
        orchestrator.told("look_failed", seen + 2)
    sandbox.heal()
    finish(orchestrator, sandbox, jobs)
    database.wait(jobs)
    assert_delivered_once(orchestrator, sandbox, jobs)
    assert {database.job(job).attempts for job in jobs} == {1}
