"""The cases of the demo, as data: what befalls each job, and what must be true of it at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.job import Source, Updates
from orchestrator.core.lifecycle import State
from orchestrator.engine.submit import Submission

MODEL = "google/veo-3.1-lite"


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be true of a job at the end. Each number is a bound, both ends included."""

    state: State = State.COMPLETED
    won_by: Source = Source.WEBHOOK
    files: int = 1  # of outputs, whole, as the sandbox serves them
    looks: tuple[int, int] = (0, 0)
    webhooks: tuple[int, int] = (1, 9)
    events: int | None = None  # how many different ones the webhooks were
    out_of_order: bool = False  # `created` must have come after the end
    reason: str | None = None  # part of the error's message; and a gateway request id must be there


@dataclass(frozen=True, slots=True)
class Case:
    """One job of the demo. `switches` are the sandbox's; `afterwards` are events that it sends at the end."""

    name: str
    title: str
    expected: Expected
    switches: dict[str, Any] = field(default_factory=dict)
    updates: Updates = Updates.HYBRID
    sample_count: int | None = None
    afterwards: tuple[str, ...] = ()

    @property
    def submission(self) -> Submission:
        """What is submitted for it."""
        request: dict[str, Any] = {
            "model": MODEL,
            "prompt": f"a demo: {self.title}",
            "provider_params": {"sandbox": self.switches},
        }
        if self.sample_count is not None:
            request["sample_count"] = self.sample_count
        return Submission(request=request, reference=f"demo-{self.name}", updates=self.updates)


CASES = (
    Case(
        "webhook",
        "webhook healthy",
        Expected(events=2),
        switches={"duration": 4},
    ),
    Case(
        "polling",
        "webhooks off: polling",
        Expected(won_by=Source.POLL, looks=(1, 2), webhooks=(0, 0)),
        switches={"duration": 8},
        updates=Updates.POLL,
    ),
    Case(
        "lost",
        "webhook lost: a look",
        Expected(won_by=Source.POLL, looks=(1, 2), webhooks=(1, 1), events=1),
        switches={"duration": 8, "webhook_lose": ["completed"]},
    ),
    Case(
        "doubled",
        "doubled, out of order",
        Expected(webhooks=(6, 6), events=2, out_of_order=True),
        switches={
            "duration": 3,
            "webhook_lose": ["created"],  # and sent afterwards, when the end is known
            "webhook_concurrent": 1,
            "webhook_duplicates": 1,
        },
        afterwards=("video.created",),
    ),
    Case(
        "failed",
        "the provider fails it",
        Expected(state=State.FAILED, files=0, looks=(1, 3), reason="violates policy"),
        switches={"duration": 5, "outcome": "failed", "error_message": "The prompt violates policy."},
    ),
    Case(
        "expired",
        "the job expires",
        Expected(state=State.EXPIRED, files=0, looks=(1, 3)),
        switches={"duration": 6, "outcome": "expired"},
    ),
    Case(
        "two",
        "two outputs",
        Expected(files=2, looks=(1, 2)),
        switches={"duration": 6},
        sample_count=2,
    ),
)
