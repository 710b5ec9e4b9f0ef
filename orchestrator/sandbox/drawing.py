"""A job's whole future, drawn at create from the seed and its number."""

from __future__ import annotations

import random

from orchestrator.sandbox.clock import Clock
from orchestrator.sandbox.config import SandboxConfig
from orchestrator.sandbox.profiles import PROFILES, profile_of, slug_of
from orchestrator.sandbox.state import TERMINAL, Job, Order

FOR_EVER = float("inf")


def draw(order: Order, number: int, job_id: str, config: SandboxConfig, clock: Clock) -> Job:
    """The job that an order becomes: who makes it, when it starts, when and how it ends."""
    switches, now = order.switches, clock.now()
    chance = random.Random(f"{config.seed}:{number}")
    lasts = chance.uniform(config.duration_min, config.duration_max)
    unlucky = chance.random() < switches.failure_rate
    outcome: str = "failed" if unlucky and switches.outcome == "completed" else switches.outcome
    if switches.duration is not None:
        lasts = switches.duration
    if switches.create_status in TERMINAL:
        outcome, lasts = switches.create_status, 0
    model = str(order.body.get("model", "sora-2"))
    profile = PROFILES[switches.provider] if switches.provider else profile_of(model)
    return Job(
        id=job_id,
        number=number,
        session_id=order.session_id,
        body=order.body,
        model=model,
        slug=slug_of(profile, model),
        profile=profile,
        switches=switches,
        outcome=outcome,
        created_at=now,
        starts_at=now + clock.scaled(switches.queue_seconds),
        ends_at=FOR_EVER if outcome == "never" else now + clock.scaled(lasts),
        chance=chance,
        webhook_endpoint=order.webhook[0] if order.webhook else None,
        webhook_events=order.webhook[1] if order.webhook else [],
    )
