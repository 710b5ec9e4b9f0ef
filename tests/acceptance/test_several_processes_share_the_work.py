"""Web, two workers and beat on one PostgreSQL and one Redis: every job is done once, by hook or by look."""

from collections import Counter

import httpx
import pytest

from orchestrator.core.job import Source, Updates
from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.fleet import Fleet
from tests.acceptance.recovery import shares
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once
from tests.acceptance.waiting import until

MANY = 20
LOOKS_AFTER = 300.0  # seconds: no look comes before a webhook, however busy the machine is


@pytest.fixture
def fleet(deploy: Deploy, sandbox: Sandbox) -> Fleet:
    fleet = deploy(sandbox, poll_after_seconds=LOOKS_AFTER)
    fleet.start_all(workers=2)
    return fleet


def test_each_job_is_delivered_once_by_hook_or_by_look(fleet: Fleet, sandbox: Sandbox) -> None:
    hooked = fleet.database.submit(*[wanted(duration=0.3)] * MANY)
    polled = fleet.database.submit(*[wanted(duration=0.3, updates=Updates.POLL)] * MANY)
    fleet.database.wait(hooked, 60)
    until("the gateway has the others", lambda: all(job.gateway_id for job in fleet.database.jobs()))
    fleet.database.let_pass(LOOKS_AFTER)
    fleet.database.wait(polled, 60)
    assert_delivered_once(fleet, sandbox, [*hooked, *polled])
    assert {fleet.database.job(job).won_by for job in polled} == {Source.POLL}
    assert Counter(fleet.database.job(job).won_by for job in hooked)[Source.WEBHOOK] > MANY // 2


def test_every_worker_has_a_share(fleet: Fleet, sandbox: Sandbox) -> None:
    jobs: list[str] = []

    def all_have() -> bool:
        if not all(shares(fleet)):  # one may have begun to consume later than the other
            jobs.extend(fleet.database.submit(*[wanted(duration=0)] * 4))
            fleet.database.wait(jobs, 60)
        return all(shares(fleet))

    until("every worker handed something off", all_have, 120)
    assert_delivered_once(fleet, sandbox, jobs)


def test_all_is_well_and_readyz_says_so(fleet: Fleet) -> None:
    until("beat was heard", lambda: httpx.get(f"{fleet.base}/readyz").json()["status"] == "ready")
    fleet.stop("beat", "worker", "web")
