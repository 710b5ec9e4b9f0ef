"""Webhooks stop without an error anywhere: looks finish every job."""

from orchestrator.core.job import Source
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import BY_LOOKS, assert_delivered_once

LOOKS_AFTER = 300.0  # seconds: no look comes before a webhook, however busy the machine is


def test_looks_finish_everything(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox, poll_after_seconds=LOOKS_AFTER)
    orchestrator.start()
    database = orchestrator.database
    (healthy,) = database.submit(wanted(duration=0.1))
    database.wait([healthy])
    assert database.job(healthy).won_by is Source.WEBHOOK

    sandbox.faults(hooks_stopped=True)
    silent = database.submit(*(wanted(duration=0.1 * number) for number in range(12)))
    for job in silent:
        database.wait_for(job, "the gateway has it", lambda job: job.gateway_id)
    database.let_pass(2 * LOOKS_AFTER)  # up to a tenth is added by chance
    database.wait(silent)

    assert_delivered_once(orchestrator, sandbox, [healthy, *silent])
    assert {database.job(job).won_by for job in silent} <= BY_LOOKS
    assert not any(database.job(job).webhooks for job in silent)
    assert not [row for row in sandbox.webhooks(state="delivered") if row["session_id"].startswith(silent[0])]
