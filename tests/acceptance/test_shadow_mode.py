"""Polling that goes on by the gateway's guidance while webhooks come, and are scored."""

from itertools import pairwise

from orchestrator.core.job import Source, Updates
from orchestrator.core.lifecycle import Verdict
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import HINT, Sandbox
from tests.acceptance.truth import BY_LOOKS, assert_delivered_once

FIRST_LOOK = 4.0  # seconds: the webhooks are there long before it, however busy the machine is


def test_webhooks_come_first_and_looks_win(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox, poll_after_seconds=FIRST_LOOK, updates="shadow")
    orchestrator.start()
    database = orchestrator.database
    shadowed = database.submit(
        *(wanted(updates=None, duration=0.1) for _ in range(6)),
        *(wanted(updates=None, duration=FIRST_LOOK + 3.2) for _ in range(3)),
    )
    (trusted,) = database.submit(wanted(duration=0.1, updates=Updates.HYBRID))
    database.wait([trusted, *shadowed])

    assert_delivered_once(orchestrator, sandbox, [trusted, *shadowed])
    assert database.job(trusted).won_by is Source.WEBHOOK
    for job_id in shadowed:
        job = database.job(job_id)
        assert job.won_by in BY_LOOKS
        assert job.updates is Updates.SHADOW
    for job_id in shadowed[:6]:
        job = database.job(job_id)
        assert job.looks <= 1  # none where a list told of several
        assert job.hook_at is not None
        told = [one for one in database.timeline(job_id) if one.source is not Source.CREATE]  # it may be late
        assert [one.verdict for one in told[-2:]] == [Verdict.SCORED, Verdict.MOVED]
        assert (told[-2].source, told[-1].source in BY_LOOKS) == (Source.WEBHOOK, True)
    looked = [_looked_at(sandbox, database.job(job_id).gateway_id or "") for job_id in shadowed[6:]]
    assert any(looked)  # where several are due, a list tells instead
    for looks in looked:
        assert all(later - earlier >= HINT for earlier, later in pairwise(looks))


def _looked_at(sandbox: Sandbox, gateway_id: str) -> list[float]:
    rows = sandbox.requests("GET", path=f"/v1/videos/{gateway_id}")
    return sorted(row["at"] for row in rows if row["path"] == f"/v1/videos/{gateway_id}")
