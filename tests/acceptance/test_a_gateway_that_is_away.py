"""The gateway cannot be reached for a while, or answers nothing but errors: everything finishes later."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.line import Line
from tests.acceptance.sandbox import HINT, Sandbox
from tests.acceptance.truth import assert_delivered_once
from tests.acceptance.waiting import until


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
    known = database.submit(wanted(updates=Updates.POLL, duration=0.3))
    for job in known:
        database.wait_for(job, "the gateway has it", lambda job: job.state is State.WAITING)
    line.cut()
    new = database.submit(wanted(duration=0.1))
    for job in known:
        database.wait_for(job, "two looks failed", lambda job: job.look_errors == 2)
    for job in new:
        refused = database.wait_for(job, "its create was tried", lambda job: job.state is State.ACCEPTED)
        assert refused.attempts == 1, "surely not sent: it is tried again, and is never uncertain"
    line.mend()
    database.wait([*known, *new])

    assert_delivered_once(orchestrator, sandbox, [*known, *new])
    assert {database.job(job).attempts for job in new} == {2}
    first, second = (_moment(event) for event in orchestrator.told("look_failed", 2, job=known[0])[:2])
    assert second - first >= 2 * HINT, "looks back off: after an error the wait is twice as long"


def _moment(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["at"]).timestamp()


def test_a_gateway_that_only_answers_500_is_waited_for(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    jobs = database.submit(*(wanted(updates=Updates.POLL, duration=0.2) for _ in range(2)))
    for job in jobs:
        database.wait_for(job, "the gateway has it", lambda job: job.state is State.WAITING)
    for fault in ({"down": "gets"}, {"down": "none", "drop": "gets"}):
        sandbox.faults(**fault)
        seen = len(orchestrator.events("look_failed"))
        until("a look of each failed", lambda seen=seen: len(orchestrator.events("look_failed")) >= seen + 2)  # type: ignore[misc]
    sandbox.heal()
    database.wait(jobs)
    assert_delivered_once(orchestrator, sandbox, jobs)
    assert {database.job(job).attempts for job in jobs} == {1}
