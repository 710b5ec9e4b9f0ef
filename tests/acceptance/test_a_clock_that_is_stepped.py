"""The clock of every worker jumps ten minutes ahead, later falls ten minutes behind; all others are right.

Countdowns and the expiry of messages are judged by the clock of whoever takes them: those workers throw away
what looks old to them, and hold for minutes what looks early. Due times and leases are the database's.
"""

import os
import signal
import sys
import time

from tests.acceptance.conftest import Deploy
from tests.acceptance.fleet import Fleet
from tests.acceptance.load import rising
from tests.acceptance.processes import ROOT, Child
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once
from tests.acceptance.waiting import until

MANY = 40
STEPPED = (sys.executable, str(ROOT / "tests/acceptance/stepped_clock.py"))
AHEAD, BACK = signal.SIGUSR1, signal.SIGUSR2


def test_jobs_flow_and_the_alarm_says_whose_clock_is_off(deploy: Deploy, sandbox: Sandbox) -> None:
    fleet = deploy(sandbox)
    fleet.database.jobs()
    stepped = [fleet.launch("worker", inside=STEPPED) for _ in range(2)]
    fleet.ready(*stepped, *(fleet.launch(role) for role in ("web", "beat")))
    jobs = _step(fleet, sandbox, AHEAD, "ahead of")
    _step_all(stepped, BACK)
    until("the alarms are over", lambda: all(_told(run, "alarm_cleared") for run in stepped), 60)
    jobs += _step(fleet, sandbox, BACK, "behind")

    assert_delivered_once(fleet, sandbox, jobs)
    assert [run for run in fleet.runs if _told(run, "alarm_raised")] == stepped, "all others are right"
    assert {run.alive for run in fleet.runs} == {True}


def _step(fleet: Fleet, sandbox: Sandbox, way: signal.Signals, says: str) -> list[str]:
    """Let their clocks jump in the middle of the work; the jobs that were and came then, all done."""
    earlier = len(fleet.handed_off())
    jobs = fleet.database.submit(*rising(MANY, first=0.2))
    until("results flow", lambda: len(fleet.handed_off()) > earlier + 3, 60)
    stepped = fleet.of("worker")
    _step_all(stepped, way)
    since = time.time()
    fleet.database.wait(jobs, 120)
    until(
        "the alarms are raised",
        lambda: all(any(says in one for one in _told(run, "alarm_raised")) for run in stepped),
        60,
    )
    later = fleet.database.submit(*rising(10, first=0.2))  # from their create on with a wrong clock
    name = f"every worker's clock 10 minutes {says}".removesuffix(" of")
    recovered(name, fleet, sandbox, jobs + later, since=since)
    return jobs + later


def _step_all(workers: list[Child], way: signal.Signals) -> None:
    for worker in workers:
        os.kill(worker.pid, way)


def _told(run: Child, event: str) -> list[str]:
    """What this process said about its clock."""
    lines = [line for line in run.events() if line["event"] == event and line["alarm"] == "clock_off"]
    return [line.get("detail", "") or "over" for line in lines]
