"""Every webhook comes five times, in any order, to two web processes at once: one effect, all counted.

Three copies come at the same moment, two at any moment of the next seconds: long after later events, too.
"""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from orchestrator.core.job import Source
from tests.acceptance.balancer import Balancer
from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.fleet import Fleet
from tests.acceptance.load import now
from tests.acceptance.processes import free_port
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until

MANY = 30
Balance = Callable[..., Balancer]


@pytest.fixture
def balance() -> Iterator[Balance]:
    made: list[Balancer] = []

    def make(*ports: int) -> Balancer:
        made.append(Balancer(ports))
        return made[-1]

    yield make
    for balancer in made:
        balancer.close()


def test_each_has_one_effect_and_all_are_counted(deploy: Deploy, sandbox: Sandbox, balance: Balance) -> None:
    fleet = deploy(sandbox, poll_after_seconds=60)
    second = free_port()
    balancer = balance(fleet.port, second)
    sandbox.call(f"http://127.0.0.1:{balancer.port}/webhooks/gateway/default")
    fleet.start_all(workers=2)
    fleet.start("web", port=second)
    sandbox.faults(
        webhook_concurrent=2,
        webhook_duplicates=2,
        webhook_duplicates_within=4.0,
        webhook_shuffle=1.0,
        duration=0.2,
        poll_after_seconds=60,
    )
    began = now()
    jobs = fleet.database.submit(*(wanted() for _ in range(MANY)))
    recovered("every hook five times to two webs", fleet, sandbox, jobs, since=began)

    until("every event was sent five times", lambda: _all_sent(sandbox))
    until("all that came is counted", lambda: _counted(fleet) == _received(fleet))
    came = _received(fleet)
    assert _out_of_order(fleet), "every copy of an event came before the next event"
    assert set(came.values()) <= {4, 5}, came  # a copy that met a connection just closed is not sent again
    assert sum(came.values()) > 4.5 * len(came)
    ended = [entry for entry in fleet.database.inbox() if entry.type == "video.completed"]
    assert sorted(entry.job_id or "" for entry in ended) == sorted(jobs), "one entry an event"
    assert {fleet.database.job(job).won_by for job in jobs} == {Source.WEBHOOK}
    assert all(balancer.taken.values()), balancer.taken
    assert all(any(one["event"] == "webhook_received" for one in run.events()) for run in fleet.of("web"))


def _counted(fleet: Fleet) -> dict[int, int]:
    return {entry.id: entry.deliveries for entry in fleet.database.inbox()}


def _received(fleet: Fleet) -> dict[int, int]:
    return dict(Counter(line["entry"] for line in fleet.events("webhook_received")))


def _out_of_order(fleet: Fleet) -> bool:
    """Whether of some job a copy of an earlier event came after a later event's first."""
    came = sorted(fleet.events("webhook_received"), key=lambda line: str(line["at"]))
    order = [(line["gateway_id"], line["type"]) for line in came]
    first = {pair: order.index(pair) for pair in order}
    return any(
        kind == "video.created" and index > first.get((job, "video.completed"), len(order))
        for index, (job, kind) in enumerate(order)
    )


def _all_sent(sandbox: Sandbox) -> bool:
    rows = sandbox.webhooks()
    return bool(rows) and {row["state"] for row in rows} == {"delivered"}
