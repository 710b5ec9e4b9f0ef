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
from tests.acceptance.processes import Child
from tests.acceptance.recovery import share
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import Installation
from tests.acceptance.waiting import LONG, until
from tests.servers.redis import RedisServer

BOTH = (Updates.HYBRID, Updates.POLL)


def rising(many: int, *, first: float = 0.5, every: float = 0.05) -> list[Submission]:
    """Jobs that end one after the other, so that a fault meets some in each state; half are only polled."""
    both = list(BOTH)
    return [wanted(updates=both[number % 2], duration=first + every * number) for number in range(many)]


def lasting(many: int, *updates: Updates, **switches: Any) -> list[Submission]:
    """Jobs that `finish` ends, so that a fault meets them on the slowest machine; half are only polled."""
    kinds = updates or BOTH
    return [wanted(updates=kinds[n % len(kinds)], outcome="never", **switches) for n in range(many)]


def finish(orchestrator: Installation, sandbox: Sandbox, jobs: Iterable[str]) -> None:
    """Let the provider end these jobs now."""
    for job in jobs:
        known = orchestrator.database.wait_for(job, "the gateway has it", lambda job: job.gateway_id)
        sandbox.finish(str(known.gateway_id))


def until_each_works(fleet: Fleet, *workers: Child, more: int = 1) -> list[str]:
    """Submit until each worker has handed off so many more; the jobs that it took.

    A worker says that it has started before it consumes, and another may do everything meanwhile.
    """
    enough = {run: share(run) + more for run in workers or fleet.of("worker")}
    jobs: list[str] = []

    def each_has() -> bool:
        if all(share(run) >= least for run, least in enough.items()):
            return True
        jobs.extend(fleet.database.submit(*[wanted(duration=0)] * 4))
        fleet.database.wait(jobs)
        return False

    until("each worker handed something off", each_has)
    return jobs


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


def swept(fleet: Fleet, *, since: float) -> bool:
    """Whether anybody looked for what is due `since` then."""
    with fleet.database.store.read() as tx:
        at = workers.last_pulse(tx, Pulse.SWEEP)
        return at is not None and at > since


def readiness(fleet: Fleet) -> dict[str, Any]:
    """What /readyz says; empty while it says that webhooks cannot be kept."""
    answer = httpx.get(f"{fleet.base}/readyz", trust_env=False, timeout=LONG, verify=False)
    return dict(answer.json()) if answer.status_code == 200 else {}


def alarms(fleet: Fleet) -> list[str]:
    """The names of the alarms that /readyz tells."""
    return [alarm["name"] for alarm in readiness(fleet).get("alarms", [{"name": "not ready"}])]


def ringing(fleet: Fleet, alarm: str) -> int:
    """How many processes said that an alarm began, and not yet that it is over."""
    told = [
        [line["event"] for line in run.events() if line.get("alarm") == alarm]
        for run in fleet.runs
        if run.alive
    ]
    return sum(events[-1:] == ["alarm_raised"] for events in told)


def until_all_is_well(fleet: Fleet) -> None:
    """Until messages flow from beat to a worker, and no process says otherwise.

    At a slow start beat is missed for a while: a process that says so has to take it back first.
    """
    since = now()
    until("messages flow", lambda: beat_heard(fleet, since=since))
    until("all is well", lambda: readiness(fleet) == {"status": "ready", "alarms": []})
    until("each process says so", lambda: not ringing(fleet, "no_beat") and not ringing(fleet, "no_sweep"))


def unacknowledged(redis: RedisServer) -> int:
    """How many messages workers hold: countdowns, mostly."""
    with redis.client() as client:
        return int(client.hlen("orchestrator:unacked"))
