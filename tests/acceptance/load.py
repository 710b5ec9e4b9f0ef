"""Jobs under which a fault is staged, and what is told about them afterwards."""

import time
from collections.abc import Iterable
from typing import Any

import httpx

from orchestrator.core.job import HandOff, HandOffState, Updates
from orchestrator.engine.submit import Submission
from orchestrator.store import workers
from orchestrator.store.workers import Pulse
from tests.acceptance.database import Database, wanted
from tests.acceptance.fleet import Fleet
from tests.acceptance.waiting import LONG, until
from tests.servers.redis import RedisServer


def rising(many: int, *, first: float = 0.5, every: float = 0.05) -> list[Submission]:
    """Jobs that end one after the other, so that a fault meets some in each state; half are only polled."""
    both = list(Updates)
    return [wanted(updates=both[number % 2], duration=first + every * number) for number in range(many)]


def done(database: Database) -> list[HandOff]:
    """The hand-offs that are done."""
    owed = database.everything_owed().values()
    return [one for some in owed for one in some if one.state is HandOffState.DONE]


def submit_in_flight(fleet: Fleet, submissions: Iterable[Submission]) -> list[str]:
    """Keep these jobs, and come back when the gateway has all of them."""
    ids = fleet.database.submit(*submissions)
    until("all are created", lambda: all(job.gateway_id for job in fleet.database.jobs()), every=0.1)
    return ids


def now() -> float:
    """The wall clock, which the database and the sandbox of this machine share."""
    return time.time()


def beat_heard(fleet: Fleet, *, since: float) -> bool:
    """Whether a message went all the way through the broker `since` then: of beat's, to a worker's sweep."""
    with fleet.database.store.read() as tx:
        at = workers.last_pulse(tx, Pulse.BEAT)
        return at is not None and at > since


def readiness(fleet: Fleet) -> dict[str, Any]:
    """What /readyz says; empty while it says that webhooks cannot be kept."""
    answer = httpx.get(f"{fleet.base}/readyz", trust_env=False, timeout=LONG)
    return dict(answer.json()) if answer.status_code == 200 else {}


def alarms(fleet: Fleet) -> list[str]:
    """The names of the alarms that /readyz tells."""
    return [alarm["name"] for alarm in readiness(fleet).get("alarms", [{"name": "not ready"}])]


def unacknowledged(redis: RedisServer) -> int:
    """How many messages workers hold: countdowns, mostly."""
    with redis.client() as client:
        return int(client.hlen("orchestrator:unacked"))
