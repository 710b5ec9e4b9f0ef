"""Every receiver is down for forty minutes of the gateway's time; its last retry comes within thirty."""

from orchestrator.core.job import Source
from tests.acceptance.conftest import SPEED, Deploy
from tests.acceptance.database import wanted
from tests.acceptance.fleet import Fleet
from tests.acceptance.load import now
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import BY_LOOKS, assert_delivered_once
from tests.acceptance.waiting import until

MANY = 40
OUTAGE = 40 * 60 / SPEED  # seconds of ours


def test_looks_hand_everything_off_meanwhile(deploy: Deploy, fast_sandbox: Sandbox) -> None:
    sandbox = fast_sandbox
    fleet = deploy(sandbox)
    fleet.start_all(workers=2)
    fleet.stop("web")
    away = now()
    jobs = fleet.database.submit(*(wanted(duration=(1.0 + 0.02 * number) * SPEED) for number in range(MANY)))
    recovered("receivers away for 40 minutes of the gateway's", fleet, sandbox, jobs, since=away)
    assert {fleet.database.job(job).won_by for job in jobs} <= BY_LOOKS
    until("the gateway has given up", lambda: _states(sandbox) == {"failed_permanently"})
    until("forty minutes are over", lambda: now() > away + OUTAGE)

    fleet.start("web")
    more: list[str] = []
    until("webhooks are taken again", lambda: _one_is_won_by_a_webhook(fleet, more))
    assert_delivered_once(fleet, sandbox, [*jobs, *more])


def _one_is_won_by_a_webhook(fleet: Fleet, jobs: list[str]) -> bool:
    """Of some more jobs: a look may come before, and does where the machine is slow."""
    new = fleet.database.submit(*(wanted(duration=0.2 * SPEED) for _ in range(10)))
    fleet.database.wait(new)
    jobs += new
    return Source.WEBHOOK in {fleet.database.job(job).won_by for job in new}


def _states(sandbox: Sandbox) -> set[str]:
    return {row["state"] for row in sandbox.webhooks()}
