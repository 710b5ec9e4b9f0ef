"""What may befall a job at the gateway, and how each such job must end."""

from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State


@dataclass(frozen=True)
class Case:
    """What befalls a job, and how it must end."""

    name: str
    end: State = State.COMPLETED
    outputs: int = 1
    updates: Updates = Updates.HYBRID
    switches: dict[str, Any] = field(default_factory=dict)


_SLOW = {"create_delay": 0.6}
_BY_POLL: dict[str, Any] = {"updates": Updates.POLL}
CASES = (
    Case("hooks"),
    Case("no hooks", **_BY_POLL),
    Case("hooks lost", switches={"webhook_lose": "all"}),
    Case("hooks doubled", switches={"webhook_duplicates": 2, "webhook_concurrent": 1, "webhook_shuffle": 30}),
    Case("hook with the look", switches={"notice": "tick"}),
    Case("slow create", switches=_SLOW),
    Case("slow create, no hooks", switches=_SLOW, **_BY_POLL),
    Case("slow create, early hooks", switches={**_SLOW, "webhook_early": True, "duration": 0}),
    Case("create answer cut", switches={"create_error": "cut_after"}),
    Case("create answer cut, no hooks", switches={"create_error": "cut_after"}, **_BY_POLL),
    Case("create answer 500", switches={**_SLOW, "create_error": "text_500_after"}, **_BY_POLL),
    Case("two outputs", outputs=2),
    Case("two outputs, no hooks", outputs=2, **_BY_POLL),
    Case("slow content", switches={"content_bytes": 600_000, "content_rate": 1_000_000}),
    Case("content cut once", switches={"content": "cut", "content_fault_times": 1}),
    Case("fails", end=State.FAILED, switches={"outcome": "failed"}),
    Case("fails, no hooks", end=State.FAILED, switches={"outcome": "failed"}, **_BY_POLL),
    Case("expires", end=State.EXPIRED, switches={"outcome": "expired"}),
    Case("refused", end=State.REJECTED, switches={"create_error": "guardrail_blocked"}),
)
