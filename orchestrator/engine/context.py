"""Everything a use-case works with; built once per process by `wiring`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from orchestrator.core.breaker import Breakers
from orchestrator.core.effects import Policy
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.gateway.client import Gateway
from orchestrator.settings import Settings
from orchestrator.sinks import Sink
from orchestrator.store.database import Store


@dataclass(slots=True)
class Quota:
    """So many a minute of each account, so that a flood of forgeries fills neither disk nor time."""

    clock: Callable[[], float]
    _spent: dict[str, tuple[int, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def allows(self, account: str, per_minute: int) -> bool:
        """Whether one more may be kept in this minute."""
        minute = int(self.clock() // 60)
        with self._lock:
            began, count = self._spent.get(account, (minute, 0))
            count = count + 1 if began == minute else 1
            self._spent[account] = (minute, count)
        return count <= per_minute


@dataclass(slots=True)
class Context:
    """The tools of one process.

    `random` gives numbers in [0, 1), `new_id` unique sortable ids, `pause` waits for some seconds.
    `gateways` and `webhook_secrets` are by account. A process that never asks the gateway has no gateways.
    """

    settings: Settings
    store: Store
    http: HttpLoop
    gateways: Mapping[str, Gateway]
    webhook_secrets: Mapping[str, tuple[SecretStr, ...]]
    sinks: Mapping[str, Sink]
    worker: str
    random: Callable[[], float]
    new_id: Callable[[], str]
    pause: Callable[[float], object]
    rejections: Quota
    breakers: Breakers = field(default_factory=Breakers)
    # Sessions of gateway jobs that are none of ours, so that each is opened once only.
    foreign: dict[str, str | None] = field(default_factory=dict)

    @property
    def policy(self) -> Policy:
        """The settings that decide about due times."""
        return Policy(self.settings.poll_after_seconds, self.settings.uncertain_every_seconds)
