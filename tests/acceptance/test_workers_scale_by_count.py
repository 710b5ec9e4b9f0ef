"""A worker joins under load and takes a share; one leaves in order and gives its work back at once."""

import os
import time

from tests.acceptance.conftest import Deploy
from tests.acceptance.load import finish, lasting, until_each_works
from tests.acceptance.recovery import held, recovered
from tests.acceptance.sandbox import HINT, Sandbox
from tests.acceptance.waiting import until

MANY = 36


def test_one_joins_under_load_and_takes_a_share_and_gives_back_what_it_has_when_it_leaves(
    deploy: Deploy, sandbox: Sandbox
) -> None:
    fleet = deploy(sandbox)
    fleet.start_all(workers=1, hand_off_threads=4)
    jobs = fleet.database.submit(*lasting(MANY, poll_after_seconds=4 * HINT))
    begun = until_each_works(fleet)
    second = fleet.start("worker", hand_off_threads=4, drain_seconds=0.5)
    joined = time.time()
    assert os.getpriority(os.PRIO_PROCESS, second.pid) == os.nice(0) + 5, "it goes after `web`"
    finish(fleet, sandbox, jobs)
    shared = until_each_works(fleet, more=MANY // 6)
    recovered("a second worker joins under load", fleet, sandbox, [*jobs, *begun, *shared], since=joined)

    last = fleet.database.submit(*lasting(6))
    sandbox.faults(hold="content")
    finish(fleet, sandbox, last)
    until("all its threads that may fetch are busy", lambda: len(held(fleet, second)) == 2)
    its = held(fleet, second)
    assert second.terminate() == 0, second.complained()
    left = time.time()
    sandbox.heal()
    # Their leases would last for two minutes; the worker took its name off the list, which frees them now.
    until("the other has taken them", lambda: not held(fleet, second))
    recovered("a worker leaves in order under load", fleet, sandbox, last, since=left)

    owed = [one for some in fleet.database.every_hand_off().values() for one in some]
    assert all(one.fence >= 2 for one in owed if one.key in its), "they were done before it left"
