"""The receiver dies with a webhook in its hands: uncommitted, or kept and not yet answered."""

import time
from collections import Counter

from orchestrator.core.job import Source
from orchestrator.fault_points import FaultPoint
from tests.acceptance.conftest import SPEED, Deploy
from tests.acceptance.database import wanted
from tests.acceptance.processes import free_port
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox

MANY = 20
AT = [FaultPoint.RECEIVE_APPLIED, FaultPoint.OBSERVE_MOVED, FaultPoint.RECEIVE_COMMITTED]


def test_the_gateway_sends_again_and_it_takes_effect_once(deploy: Deploy, fast_sandbox: Sandbox) -> None:
    sandbox = fast_sandbox
    fleet = deploy(sandbox, poll_after_seconds=3000)  # no look will help
    fleet.database.jobs()
    # Four receivers, of which the next one gets the webhooks when one dies, as behind a proxy.
    receivers = [(free_port(), f"{point}:{MANY}") for point in AT] + [(free_port(), "")]
    webs = [fleet.launch("web", port=port, fault_point=spec) for port, spec in receivers]
    fleet.ready(*webs, *(fleet.launch(role) for role in ("worker", "beat")))
    jobs: list[str] = []
    for (port, _), web, point in zip(receivers, webs, AT, strict=False):
        sandbox.call(_receiver(port))
        jobs += fleet.database.submit(*(wanted(duration=(1 + 0.05 * n) * SPEED) for n in range(MANY)))
        fleet.dies_at(web, point)
    died = time.time()
    sandbox.call(_receiver(receivers[-1][0]))
    recovered("web killed between receipt and commit, three times", fleet, sandbox, jobs, since=died)

    assert {job.won_by for job in fleet.database.jobs()} == {Source.WEBHOOK}
    # Every completion was remembered once, however often it came, and brought about one hand-off.
    completions = Counter(one.job_id for one in fleet.database.inbox() if one.type == "video.completed")
    assert completions == dict.fromkeys(jobs, 1)
    tries = [len(row["statuses"]) for row in sandbox.webhooks()]
    assert max(tries) > 1, "no webhook met a dead receiver"


def _receiver(port: int) -> str:
    return f"http://127.0.0.1:{port}/webhooks/gateway/default"
