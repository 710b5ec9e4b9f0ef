"""Which webhooks are owed, when each is attempted, and what became of it (contract sections 4.3 and 4.4)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from orchestrator.sandbox.answers import Scribe
from orchestrator.sandbox.clock import Clock, iso
from orchestrator.sandbox.endpoints import EndpointBook
from orchestrator.sandbox.sender import Attempt, Sender
from orchestrator.sandbox.snapshot import MAX_ATTEMPTS, envelope
from orchestrator.sandbox.state import Delivery, Job

RETRY_GAPS = (60.0, 300.0, 900.0)  # each then waits for the next cron tick


def subscribed(events: list[str], phase: str) -> bool:
    """Whether a subscription wants this phase; `job.x`, `video.x` and `x` mean the same."""
    return any(event.rpartition(".")[2] == phase for event in events)


class Outbox:
    """Owes events to endpoints and sends them, with all the faults that a job asks for."""

    def __init__(
        self, clock: Clock, endpoints: EndpointBook, sender: Sender, scribe: Callable[[], Scribe]
    ) -> None:
        self._clock = clock
        self._endpoints = endpoints
        self._sender = sender
        self._scribe = scribe
        self._tasks: dict[asyncio.Task[None], Job] = {}
        self._closed = False
        self.stopped = False  # the live switch hooks_stopped

    def emit(
        self,
        job: Job,
        phase: str,
        *,
        at_tick: bool = False,
        change: tuple[str, str] | None = None,
        progress: int | None = None,
    ) -> None:
        """Owe an event once; a dropped one may be owed again."""
        if job.webhook_endpoint is None or not subscribed(job.webhook_events, phase):
            return
        key = _key(phase, change, progress)
        known = job.deliveries.get(key)
        if known is None or known.state == "dropped":
            delivery = job.deliveries[key] = _delivery(job, phase, key, change, progress)
            self._schedule(job, delivery, at_tick)

    def send_now(self, job: Job, phase: str) -> Delivery:
        """Send an event at once, whether or not it was sent or asked for before."""
        key = _key(phase, None, None)
        delivery = job.deliveries.setdefault(key, _delivery(job, phase, key, None, None))
        delivery.attempts, delivery.state = 0, "pending"
        self._spawn(job, delivery)
        return delivery

    async def drain(self, job: Job) -> None:
        """Wait for the attempts of a job that are under way."""
        while tasks := [task for task, owner in self._tasks.items() if owner is job]:
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Forget what is owed and free the connections."""
        self._closed = True  # timers may still fire
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sender.close()

    def _schedule(self, job: Job, delivery: Delivery, at_tick: bool) -> None:
        if self._is_lost(job, delivery):
            delivery.state = "lost"
            return
        now, faults = self._clock.now(), job.switches
        wait = self._clock.scaled(faults.webhook_delay + job.chance.random() * faults.webhook_shuffle)
        due = (self._clock.next_tick(now) if at_tick else now) + wait
        self._at(due, job, delivery)

    def _is_lost(self, job: Job, delivery: Delivery) -> bool:
        lost = job.switches.webhook_lose
        by_name = "all" in lost or subscribed(list(lost), delivery.type.rpartition(".")[2])
        return by_name or job.chance.random() < job.switches.webhook_loss_rate

    def _at(self, due: float, job: Job, delivery: Delivery) -> None:
        if due <= self._clock.now():
            self._spawn(job, delivery)
        else:
            self._clock.call_at(due, lambda: self._spawn(job, delivery))

    def _spawn(self, job: Job, delivery: Delivery) -> None:
        task = asyncio.get_running_loop().create_task(self._attempt(job, delivery))
        self._tasks[task] = job
        task.add_done_callback(self._tasks.pop)

    async def _attempt(self, job: Job, delivery: Delivery) -> None:
        # Looked up at every attempt: a new secret or URL counts at once, and a disabled endpoint drops.
        endpoint = self._endpoints.find(job.webhook_endpoint or "")
        if self._closed or self.stopped:
            delivery.state = "lost"
        elif endpoint is None or not endpoint.active:
            delivery.state = "dropped"
        else:
            delivery.attempts += 1
            tried_at = self._clock.now()
            body = envelope(job, delivery, self._scribe(), tried_at)
            pauses = self._before_copies(job)
            result = await self._sender.attempt(endpoint, job.switches, delivery, body, tried_at, pauses)
            self._record(job, delivery, result, tried_at)

    def _before_copies(self, job: Job) -> list[float]:
        """Real seconds to wait before each further copy of what was delivered."""
        within = self._clock.scaled(job.switches.webhook_duplicates_within)
        moments = sorted(within * job.chance.random() for _ in range(job.switches.webhook_duplicates))
        return [later - earlier for earlier, later in pairwise([0.0, *moments])]

    def _record(self, job: Job, delivery: Delivery, result: Attempt, tried_at: float) -> None:
        delivery.statuses.append(result.status)
        now = self._clock.now()
        delivery.retry_at = None
        if result.delivered:
            delivery.state = "delivered"
        elif delivery.attempts < MAX_ATTEMPTS:
            delivery.state = "scheduled_retry"
            delivery.retry_at = now + self._clock.scaled(RETRY_GAPS[delivery.attempts - 1])
            self._at(self._clock.next_tick(delivery.retry_at), job, delivery)
        else:
            delivery.state = "failed_permanently"
        job.history.append(_history_row(delivery, result, tried_at, now))


def _key(phase: str, change: tuple[str, str] | None, progress: int | None) -> str:
    key = f"video.{phase}"
    if change:
        key += ":" + ":".join(change)
    return key if progress is None else f"{key}:{progress}"


def _delivery(
    job: Job, phase: str, key: str, change: tuple[str, str] | None, progress: int | None
) -> Delivery:
    event_id = re.sub(r"[^A-Za-z0-9_-]+", "_", f"evt_video_{job.id}_{key}")[:160]
    moved = {"previous_status": change[0], "status": change[1]} if change else None
    return Delivery(key, f"video.{phase}", event_id, moved, progress)


def _history_row(delivery: Delivery, result: Attempt, tried_at: float, now: float) -> dict[str, Any]:
    return {
        "id": f"{delivery.key}:{delivery.attempts}:{iso(tried_at)}",
        "delivery_key": delivery.key,
        "event_type": delivery.type,
        "status": delivery.state,
        "attempt_number": delivery.attempts,
        "max_attempts": MAX_ATTEMPTS,
        "tried_at": iso(tried_at),
        "delivered_at": iso(now) if result.delivered else None,
        "next_retry_at": iso(delivery.retry_at) if delivery.retry_at else None,
        "response_status": result.status,
        "error_message": result.error,
        "response_body_preview": result.preview,
    }
