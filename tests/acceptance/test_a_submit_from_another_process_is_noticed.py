"""A job is committed by another process, and no message tells the orchestrator.

How soon it looks for such commits is held by tests/integration/engine/test_glance.py.
"""

from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once


def test_its_create_begins_and_all_that_follows(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    jobs: list[str] = []
    for _ in range(3):  # each meets an orchestrator with nothing to do
        jobs += orchestrator.database.submit(wanted(duration=0.1))
        orchestrator.database.wait(jobs)
    assert_delivered_once(orchestrator, sandbox, jobs)
