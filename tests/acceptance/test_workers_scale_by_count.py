"""A worker joins under load and takes a share; one leaves in order and gives its work back at once."""

import time
from typing import Any

from orchestrator.core.job import Updates
from orchestrator.engine.submit import Submission
from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.recovery import held, recovered, shares
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until

MANY = 60


def test_one_joins_under_load_and_takes_a_share_and_gives_back_what_it_has_when_it_leaves(
    deploy: Deploy, sandbox: Sandbox
) -> None:
    fleet = deploy(sandbox)
    fleet.start_all(workers=1, hand_off_threads=2)
    jobs = fleet.database.submit(*_slow(MANY, 0.5))
    until("the first worker has begun", lambda: len(fleet.handed_off()) > 3, 60)
    second = fleet.start("worker", hand_off_threads=2, drain_seconds=0.5)
    joined = time.time()
    jobs += fleet.database.submit(*_slow(MANY, 0.5))
    recovered("a second worker joins under load", fleet, sandbox, jobs, since=joined)
    assert min(shares(fleet)) > MANY // 6, shares(fleet)

    last = fleet.database.submit(*_slow(6, 5.0))
    until("it holds some", lambda: len(held(fleet, second)) == 2, 60)
    its = held(fleet, second)
    assert second.terminate(60) == 0, second.complained()
    left = time.time()
    # Their leases would last for two minutes; the worker took its name off the list, which frees them now.
    until("the other has taken them", lambda: not held(fleet, second), 60)
    recovered("a worker leaves in order under load", fleet, sandbox, last, since=left)

    owed = [one for some in fleet.database.everything_owed().values() for one in some]
    assert any(one.fence == 2 for one in owed if one.key in its), "everything was done before it left"


def _slow(many: int, seconds: float) -> list[Submission]:
    """Jobs whose results take so long to fetch; half of them are only polled."""
    both = list(Updates)
    slow: dict[str, Any] = {"content_bytes": 100_000, "content_rate": 100_000 / seconds}
    return [wanted(updates=both[number % 2], duration=0.2, **slow) for number in range(many)]
