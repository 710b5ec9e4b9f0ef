"""Every worker is gone, or those left take only some of the work: it shows, and webhooks are kept."""

import pytest

from tests.acceptance.conftest import Deploy
from tests.acceptance.load import alarms, finish, lasting, now, rising, submit_in_flight
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import LONG, until

MANY = 30


def test_webhooks_are_taken_and_readyz_says_that_nobody_sweeps(deploy: Deploy, sandbox: Sandbox) -> None:
    fleet = deploy(sandbox)
    fleet.start_all(workers=1)
    jobs = submit_in_flight(fleet, lasting(MANY))
    fleet.kill("worker")
    finish(fleet, sandbox, jobs)
    until("readyz says so", lambda: alarms(fleet) == ["no_sweep"])
    until("the log says so", lambda: fleet.events("alarm_raised", alarm="no_sweep"))
    until("webhooks are taken", lambda: _delivered(sandbox) == MANY // 2)

    restarted = now()
    fleet.start("worker")
    recovered("no worker while all jobs ended", fleet, sandbox, jobs, since=restarted)
    until("all is well", lambda: alarms(fleet) == [])
    until("the log says so", lambda: fleet.events("alarm_cleared", alarm="no_sweep"))


def _delivered(sandbox: Sandbox) -> int:
    return len(sandbox.webhooks(type="video.completed", state="delivered"))


@pytest.mark.soak
def test_work_that_nobody_takes_is_an_alarm(deploy: Deploy, sandbox: Sandbox) -> None:
    fleet = deploy(sandbox)
    fleet.start_all(workers=0)
    fleet.start("worker", "--queues", "sweep,look,hand_off")
    jobs = fleet.database.submit(*rising(MANY))
    until("readyz says so", lambda: alarms(fleet) == ["behind"], seconds=2 * LONG)
    until("the log says so", lambda: len(fleet.events("alarm_raised", alarm="behind")) == 2)

    helped = now()
    fleet.start("worker", "--queues", "create")
    recovered("nobody took creates for a minute", fleet, sandbox, jobs, since=helped)
    until("all is well", lambda: alarms(fleet) == [])
