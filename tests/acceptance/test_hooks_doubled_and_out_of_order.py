"""Every webhook comes five times, in any order: one hand-off for each output."""

from collections import Counter

from orchestrator.core.job import Source
from tests.acceptance.conftest import Begin
from tests.acceptance.database import Database, wanted
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once, assert_made_once, outcome_of
from tests.acceptance.waiting import until


def test_each_output_is_handed_off_once(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    sandbox.faults(webhook_duplicates=2, webhook_concurrent=2, webhook_shuffle=1.0, duration=0.2)
    one = database.submit(*(wanted() for _ in range(12)))
    two = database.submit(*(wanted(count=2) for _ in range(3)))
    bad = database.submit(*(wanted(outcome="failed") for _ in range(3)))
    database.wait([*one, *two, *bad])
    until("every event was sent five times", lambda: _all_sent(sandbox))

    assert_delivered_once(orchestrator, sandbox, one)
    assert_delivered_once(orchestrator, sandbox, two, outputs=2)
    for job in bad:
        assert outcome_of(orchestrator, job)["outcome"] == "failed"
        assert_made_once(sandbox, job, database.job(job).gateway_id)
    entries = [entry for entry in database.inbox() if entry.type in ("video.completed", "video.failed")]
    assert sorted(entry.job_id or "" for entry in entries) == sorted([*one, *two, *bad]), "one entry an event"
    until("all that came is counted", lambda: _counted(database) == _received(orchestrator))
    came = _received(orchestrator)
    assert set(came.values()) <= {4, 5}, came  # a copy that met a connection just closed is not sent again
    assert sum(came.values()) > 4.5 * len(came)
    assert Source.WEBHOOK in {database.job(job).won_by for job in one}


def _counted(database: Database) -> dict[int, int]:
    return {entry.id: entry.deliveries for entry in database.inbox()}


def _received(orchestrator: Orchestrator) -> dict[int, int]:
    return dict(Counter(line["entry"] for line in orchestrator.events("webhook_received")))


def _all_sent(sandbox: Sandbox) -> bool:
    rows = sandbox.webhooks()
    return bool(rows) and {row["state"] for row in rows} == {"delivered"}
