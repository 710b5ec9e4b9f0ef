"""Carries a plan out on a deployment: strikes, and takes back what lasts."""

import heapq
import itertools
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from tests.acceptance.sandbox import Sandbox
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.soak.plan import Blow
from tests.soak.slots import Slot

Act = Callable[[], object]

# What is switched on at the gateway, and what takes it back.
SWITCHES: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "hooks lost": ({"hooks_stopped": True}, {"hooks_stopped": False}),
    "hooks doubled": (
        {"webhook_duplicates": 3, "webhook_concurrent": 2},
        {"webhook_duplicates": 0, "webhook_concurrent": 0},
    ),
    "hooks late": ({"webhook_delay": 240.0}, {"webhook_delay": 0.0}),
    "hooks out of order": ({"webhook_shuffle": 240.0}, {"webhook_shuffle": 0.0}),
    "looks at one provider answered 502": ({"provider_502": "google-ai-studio"}, {"provider_502": None}),
    "looks answered 500": ({"down": "gets"}, {"down": "none"}),
    "gateway slow": ({"latency": 1.5}, {"latency": 0.0}),
    "gateway cuts every answer": ({"drop": "all"}, {"drop": "none"}),
    "create answers cut": ({"create_error": "cut_after"}, {"create_error": None}),
    "create answers 500": ({"create_error": "text_500_after"}, {"create_error": None}),
}
_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND datname IS NOT NULL
"""


class Chaos:
    """The blows of a plan, and what each of them leaves to be taken back."""

    def __init__(
        self,
        slots: Mapping[str, Slot],
        postgres: PostgresServer,
        redis: RedisServer,
        sandbox: Sandbox,
        receivers: list[str],
    ) -> None:
        self._slots, self._postgres, self._redis, self._sandbox = slots, postgres, redis, sandbox
        self._receivers = itertools.cycle(receivers)
        self._order = itertools.count()
        self.struck: Counter[str] = Counter()

    def carry_out(self, blows: list[Blow], began: float, meanwhile: Act) -> None:
        """Strike when it is time, counted from `began` (monotonic); `meanwhile` is called all the time."""
        due: list[tuple[float, int, Act]] = []
        for blow in blows:
            heapq.heappush(due, (blow.at, next(self._order), lambda blow=blow: self._begin(blow, due)))  # type: ignore[misc]
        while due:
            at, _, act = due[0]
            if time.monotonic() - began >= at:
                heapq.heappop(due)
                act()
            meanwhile()
            time.sleep(0.05)

    def _begin(self, blow: Blow, due: list[tuple[float, int, Act]]) -> None:
        self.struck[blow.kind] += 1
        over = self._strike(blow)
        if over is not None:
            heapq.heappush(due, (blow.until, next(self._order), over))

    def _strike(self, blow: Blow) -> Act | None:
        """Do it; what takes it back when its time is over."""
        if blow.kind in SWITCHES:
            on, off = SWITCHES[blow.kind]
            self._sandbox.faults(**on)
            return lambda: self._sandbox.faults(**off)
        if blow.target in self._slots:
            return _strike_process(self._slots[blow.target], blow.kind.partition(" ")[2])
        if blow.target == "address":
            self._sandbox.call(next(self._receivers))
            return None
        server, how = blow.kind.split(" ", 1)
        return self._strike_redis(how) if server == "redis" else self._strike_postgres(how)

    def _strike_redis(self, how: str) -> Act | None:
        if how == "emptied":
            self._redis.flush()
        elif how == "connections cut":
            with self._redis.client() as client:
                client.client_kill_filter(_type="normal", skipme=True)
        elif how == "killed":
            self._redis.kill()
            return self._redis.start
        elif how == "held":
            self._redis.pause()
            return self._redis.resume
        return None

    def _strike_postgres(self, how: str) -> Act | None:
        if how == "connections cut":
            with self._postgres.connect() as connection:
                connection.execute(_CUT)
        elif how == "held":
            self._postgres.pause()
            return self._postgres.resume
        else:
            self._postgres.stop("fast" if how == "restarted" else "immediate")
            return self._postgres.start
        return None


def _strike_process(slot: Slot, how: str) -> Act | None:
    if how == "killed":
        slot.kill()
        return slot.start
    if how == "held":
        slot.hold()
        return slot.resume
    slot.terminate()
    return None
