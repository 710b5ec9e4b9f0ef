"""The same jobs once by the guidance and once as learned: the ledger tells what the gateway saw of both."""

import pytest

from orchestrator.core.job import Updates
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.test_hooks_that_stop_and_come_back import accounted, ended, gets

EVERY = 1.0  # seconds between looks by the guidance: late enough that a busy machine hardly counts
LASTING = [1.5 + 4.0 * number / 40 for number in range(40)]  # seconds
NEARLY = 0.15  # a busy machine asks somewhat later than is due


def test_looks_are_counted_and_those_of_the_guidance_foreseen(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox, poll_after_seconds=EVERY, request_worth_seconds=3, webhook_endpoint_id="")
    database = orchestrator.database
    jobs = [wanted(duration=seconds, poll_after_seconds=EVERY, updates=Updates.POLL) for seconds in LASTING]
    orchestrator.start(cadence="guidance")
    by_guidance = ended(database, database.submit(*jobs))
    sent = len(gets(sandbox, by_guidance))
    first = accounted(database, len(jobs))
    assert first.looks == sent
    assert first.guidance_looks == pytest.approx(sent, rel=NEARLY)

    orchestrator.stop()
    orchestrator.start()
    as_learned = ended(database, database.submit(*jobs))
    second = accounted(database, 2 * len(jobs))
    looks = second.looks - first.looks
    assert looks == len(gets(sandbox, as_learned))
    assert looks < 0.8 * sent
    # Fewer looks tell less of when the jobs ended.
    assert second.guidance_looks - first.guidance_looks == pytest.approx(first.guidance_looks, rel=NEARLY)
    assert second.lag > first.lag
