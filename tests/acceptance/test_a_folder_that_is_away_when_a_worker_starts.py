"""The folder of results cannot be used when workers start: hand-offs wait for it, all other work flows."""

from orchestrator.core.lifecycle import State
from orchestrator.settings import QUEUES
from tests.acceptance.conftest import Deploy
from tests.acceptance.load import alarms, now, rising
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until

MANY = 8


def test_hand_offs_wait_for_it_and_an_alarm_says_so(deploy: Deploy, sandbox: Sandbox) -> None:
    fleet = deploy(sandbox)
    fleet.outputs.touch()  # a file where the folder is to be
    fleet.start_all(workers=2)
    assert {(line["level"], line["destination"]) for line in fleet.events("destination_away")} == {
        ("error", "folder")
    }
    assert len(fleet.events("destination_away")) == 2
    jobs = fleet.database.submit(*rising(MANY, first=0.2))
    until("all are completed", lambda: {job.state for job in fleet.database.jobs()} == {State.COMPLETED})
    until("an alarm says so", lambda: alarms(fleet) == ["destination_shut"])

    fleet.outputs.unlink()
    there = now()
    recovered("a folder that was away when the workers started", fleet, sandbox, jobs, since=there)
    until("all is well", lambda: alarms(fleet) == [])


def test_a_worker_that_hands_nothing_off_does_not_look_at_it(deploy: Deploy, sandbox: Sandbox) -> None:
    fleet = deploy(sandbox)
    fleet.database.jobs()
    fleet.outputs.touch()
    fleet.start("worker", "--queues", ",".join(set(QUEUES) - {"hand_off"}))
    assert not fleet.events("destination_away")
