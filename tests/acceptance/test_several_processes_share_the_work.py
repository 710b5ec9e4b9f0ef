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

MANY = 40


@pytest.fixture
def fleet(deploy: Deploy, sandbox: Sandbox) -> Fleet:
    fleet = deploy(sandbox)
    fleet.start_all(workers=2)
    return fleet


def test_each_job_is_delivered_once_and_every_worker_had_a_share(fleet: Fleet, sandbox: Sandbox) -> None:
    hooked = fleet.database.submit(*[wanted(duration=0.3, poll_after_seconds=60)] * (MANY // 2))
    polled = fleet.database.submit(*[wanted(duration=0.3, updates=Updates.POLL)] * (MANY // 2))
    jobs = [*hooked, *polled]
    fleet.database.wait(jobs)
    assert_delivered_once(fleet, sandbox, jobs)
    until("all is in the logs", lambda: sum(shares(fleet)) == MANY)
    assert all(shares(fleet)), shares(fleet)
    assert {fleet.database.job(job).won_by for job in polled} == {Source.POLL}
    # Not all: a first webhook that overtakes the create's answer brings no guidance, so a look comes sooner.
    winners = Counter(fleet.database.job(job).won_by for job in hooked)
    assert winners[Source.WEBHOOK] > MANY // 4


def test_all_is_well_and_readyz_says_so(fleet: Fleet) -> None:
    until("beat was heard", lambda: httpx.get(f"{fleet.base}/readyz").json()["status"] == "ready")
    fleet.stop("beat", "worker", "web")
