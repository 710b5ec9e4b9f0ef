"""One soak: deploy, submit, strike, heal, wait, compare."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from orchestrator.core.job import HandOffState
from tests.acceptance.fleet import Fleet
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import LONG, until
from tests.ports import free_port
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.soak.audit import FileWatch, Findings, audit
from tests.soak.chaos import Chaos
from tests.soak.load import Load, cases_of
from tests.soak.plan import BEATS, WEBS, WORKERS, plan
from tests.soak.slots import Slot

SPEED = 30  # the sandbox's own times pass so much faster: its second try of a webhook comes within 20 s
SETTLED_WITHIN = 300.0  # seconds after the last blow is over, in which everything must be done
UNCERTAIN_WAIT = 20.0
WATCH_EVERY = 3.0


@dataclass
class Report:
    """What was done and found."""

    findings: Findings
    struck: Counter[str]
    processes_wrong: list[str]
    refused: int
    settled_after: float | None
    slowest: tuple[float, str]
    seconds: float
    forgotten: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing forbidden happened."""
        settled = self.settled_after is not None
        return self.findings.good and settled and not self.processes_wrong and not self.forgotten

    def lines(self) -> Iterator[str]:
        """The summary."""
        found = self.findings
        yield f"{'blows':<42}{self.struck.total()}"
        yield from (f"    {kind:<38}{count}" for kind, count in sorted(self.struck.items()))
        yield f"{'jobs':<42}{found.jobs}"
        yield f"{'hand-offs done':<42}{found.files}"
        yield f"{'submissions that the database refused':<42}{self.refused}"
        yield f"{'uncertain creates found again':<42}{found.found_again}"
        yield f"{'uncertain ones with a person':<42}{len(found.left_to_person)}"
        yield f"{'slowest job, seconds':<42}{self.slowest[0]:.1f} ({self.slowest[1]})"
        yield f"{'settled after the last blow, seconds':<42}" + (
            f"not within {SETTLED_WITHIN:g}" if self.settled_after is None else f"{self.settled_after:.1f}"
        )
        wrong = {"kept, and not there": self.forgotten, "processes that ended": self.processes_wrong}
        for what, some in (found.forbidden | wrong).items():
            yield f"{what + ' (must be 0)':<42}{len(some)}"
            yield from (f"    {one}" for one in some[:20])
        yield f"{'seconds':<42}{self.seconds:.0f}"


def run(folder: Path, *, seconds: float, seed: int, per_second: float) -> Report:
    """The whole soak, in a folder of its own."""
    began = time.monotonic()
    with ExitStack() as stack:
        soak = _Soak(stack, folder, seed)
        report = soak.run(seconds, per_second)
    report.seconds = time.monotonic() - began
    return report


class _Soak:
    def __init__(self, stack: ExitStack, folder: Path, seed: int) -> None:
        self._seed = seed
        postgres, redis = PostgresServer(), RedisServer()
        stack.callback(postgres.close)
        stack.callback(redis.close)
        self._sandbox = Sandbox(folder, "sandbox", "--time-scale", str(SPEED), "--seed", str(seed))
        stack.callback(self._sandbox.end)
        self._fleet = Fleet(
            folder,
            self._sandbox.url,
            postgres.database(),
            redis.url,
            uncertain_wait_seconds=UNCERTAIN_WAIT,
            create_timeout_seconds=5,
            look_timeout_seconds=5,
        )
        stack.callback(self._fleet.end)
        ports = {"web 0": self._fleet.port, "web 1": free_port()}
        names = (*WORKERS, *WEBS, *BEATS)
        self._slots = {name: Slot(self._fleet, name, ports.get(name)) for name in names}
        self._bases = [f"http://127.0.0.1:{port}" for port in ports.values()]
        receivers = [f"{base}/webhooks/gateway/default" for base in reversed(self._bases)]
        self._chaos = Chaos(self._slots, postgres, redis, self._sandbox, receivers)
        self._watch = FileWatch()
        self._watched_at = 0.0

    def run(self, seconds: float, per_second: float) -> Report:
        """Submit and strike for so long; then wait and compare."""
        database = self._fleet.database  # made before anybody needs it
        self._sandbox.call(self._fleet.receiver)
        for slot in self._slots.values():
            slot.start()
        self._fleet.ready(*(slot.child for slot in self._slots.values()))
        load = Load(database, per_second=per_second, seed=self._seed, speed=SPEED)
        load.start()
        began = time.monotonic()
        self._chaos.carry_out(plan(self._seed, seconds), began, self._look_after)
        load.stop()
        settled_after = self._heal_and_wait()
        cases = cases_of(database)
        return Report(
            findings=audit(self._fleet, self._sandbox, cases, self._watch),
            struck=self._chaos.struck,
            processes_wrong=[one for slot in self._slots.values() for one in slot.wrong],
            refused=load.refused,
            settled_after=settled_after,
            slowest=self._slowest(),
            seconds=0.0,
            forgotten=[one for one in load.kept if one not in cases],
        )

    def _look_after(self) -> None:
        for slot in self._slots.values():
            slot.look_after()
        if time.monotonic() > self._watched_at + WATCH_EVERY:
            self._watched_at = time.monotonic()
            self._watch.look(self._fleet.files())

    def _heal_and_wait(self) -> float | None:
        """Seconds until nothing was left to do but what needs a person; None when that took too long."""
        self._sandbox.heal()
        healed = time.monotonic()
        try:
            left = [job.id for job in self._fleet.database.jobs()]
            self._until("nothing is left to do", lambda: self._nothing_left(left))
            took = time.monotonic() - healed
            self._until("all is well", self._all_is_well)
        except AssertionError as error:
            print(error)
            return None
        self._watch.look(self._fleet.files())
        return took

    def _until(self, what: str, holds: Callable[[], bool]) -> None:
        def look() -> bool:
            self._look_after()
            return holds()

        until(what, look, SETTLED_WITHIN, every=0.5)

    def _nothing_left(self, left: list[str]) -> bool:
        left[:] = self._fleet.database.unfinished(left)
        jobs = {job.id: job for job in self._fleet.database.jobs()}
        return all(jobs[one].needs_person for one in left)

    def _all_is_well(self) -> bool:
        try:
            with httpx.Client(trust_env=False, timeout=LONG, verify=False) as client:
                answers = [client.get(f"{base}/readyz").json() for base in self._bases]
        except httpx.HTTPError:  # it is still starting
            return False
        # What recurred tells of the chaos that is over, for ten minutes.
        told = [one["name"] for answer in answers for one in answer.get("alarms", [{"name": "none"}])]
        return set(told) <= {"fault_recurs"}

    def _slowest(self) -> tuple[float, str]:
        """From being accepted to the last hand-off, in seconds; and what befell it."""
        jobs = {job.id: job for job in self._fleet.database.jobs()}
        every = [one for some in self._fleet.database.everything_owed().values() for one in some]
        waits = [
            ((one.done_at or 0.0) - jobs[one.job_id].accepted_at, str(jobs[one.job_id].reference))
            for one in every
            if one.state is HandOffState.DONE
        ]
        return max(waits, default=(0.0, "none"))
