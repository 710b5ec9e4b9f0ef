"""How much is done at once, and how often it is tried."""

from __future__ import annotations

from pydantic import Field

from orchestrator.settings.base import Group


class Work(Group):
    """How much is done at once, and how often it is tried."""

    hand_off_attempts: int = Field(
        18, ge=1, le=100, description="Attempts at one hand-off before it is given up; 18 take about a day."
    )
    hand_off_first_retry_seconds: float = Field(
        5.0,
        gt=0,
        le=3600,
        description="Seconds until the second attempt; doubles each time, up to three hours.",
    )
    create_threads: int = Field(8, ge=1, le=64, description="Create calls at once, per worker.")
    look_threads: int = Field(4, ge=1, le=32, description="Batches of looks at once, per worker.")
    hand_off_threads: int = Field(
        8,
        ge=1,
        le=64,
        description="Hand-offs at once, per worker; and as many again of documents about jobs it settled.",
    )
    web_hand_off_threads: int = Field(
        0,
        ge=0,
        le=64,
        description="How jobs ended is handed on at once by the `web` that a webhook told it, with so many "
        "threads; 0 leaves all hand-offs to workers.",
    )
    worker_niceness: int = Field(
        5,
        ge=0,
        le=19,
        description="How far a worker yields the processor to others on its machine; 0 is not at all.",
    )
    drain_seconds: float = Field(
        30.0, ge=0, description="Seconds that a stopping process gives its calls to finish."
    )
