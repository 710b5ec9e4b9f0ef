"""The gateway's webhooks: signed for each of four attempts; lost, late and doubled on the way."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from orchestrator.simulation.chance import Fault
from orchestrator.simulation.gateway import GatewayJob
from orchestrator.simulation.scheduler import Scheduler
from orchestrator.simulation.tools import Chance

SECRET = "whsec_simulated"
AGAIN_AFTER = (6.0, 30.0, 90.0)  # seconds; a tenth of the gateway's
ANSWER_WITHIN = 30.0

# Takes headers, a body and who wants to know: True once a 2xx was sent, False for any other answer.
Receiver = Callable[[dict[str, str], bytes, Callable[[bool], None]], None]


@dataclass(slots=True)
class _Event:
    job: GatewayJob
    kind: str  # created, completed, failed, cancelled, expired
    attempt: int = 0
    delivered: bool = False

    @property
    def id(self) -> str:
        return f"evt_video_{self.job.id}_video_{self.kind}"


@dataclass(slots=True)
class Hooks:
    """Sends events to the receiver. `acknowledged` is told of each event whose delivery got a 2xx."""

    scheduler: Scheduler
    chance: Chance
    receiver: Receiver
    acknowledged: Callable[[str], None]
    under_way: int = 0
    sent: dict[str, _Event] = field(default_factory=dict)

    def announce(self, job: GatewayJob, kind: str) -> None:
        """Something happened to a job."""
        event = _Event(job, kind)
        if not job.wants_hooks or event.id in self.sent or self.chance.happens(Fault.HOOK_DROPPED):
            return
        self.sent[event.id] = event
        self.under_way += 1
        self.scheduler.after(0.2 * self.chance.random.random(), lambda: self._try(event))

    def _try(self, event: _Event) -> None:
        """One attempt, with the job as it is stored at this moment."""
        event.attempt += 1
        answered = [False]

        def answer(taken: bool) -> None:
            if not answered[0]:
                answered[0] = True
                self._answered(event, taken)

        headers, body = _signed(event, self.scheduler.now)
        self.scheduler.after(ANSWER_WITHIN, lambda: answer(False))
        if self.chance.happens(Fault.HOOK_LOST):
            answer(False)
            return
        for _ in range(2 if self.chance.happens(Fault.HOOK_TWICE) else 1):
            self.scheduler.after(self._travels(), lambda: self.receiver(headers, body, answer))
        if self.chance.happens(Fault.HOOK_FORGED):
            forged = headers | {"x-phaseo-signature": "0" * 64}
            lie = body.replace(b'"status": "', b'"status": "failed", "was": "')
            self.scheduler.after(self._travels(), lambda: self.receiver(forged, lie, lambda _: None))

    def _answered(self, event: _Event, taken: bool) -> None:
        if taken:
            event.delivered = True
            self.acknowledged(event.id)
        if not taken and event.attempt <= len(AGAIN_AFTER):
            self.scheduler.after(AGAIN_AFTER[event.attempt - 1], lambda: self._try(event))
        else:
            self.under_way -= 1

    def _travels(self) -> float:
        random = self.chance.random
        if self.chance.happens(Fault.HOOK_LATE):
            return 25 * random.random()
        return 0.01 + 0.3 * random.random()


def _signed(event: _Event, now: float) -> tuple[dict[str, str], bytes]:
    job = event.job
    data: dict[str, Any] = {
        "id": job.id,
        "status": job.stored,
        "session_id": job.session_id if job.tells_session else None,
        "progress": 100 if job.stored == "completed" else 0,
        "provider": "google-ai-studio",
        "upstream_error": None,
    }
    envelope = {
        "id": event.id,
        "type": f"video.{event.kind}",
        "created_at": int(now),
        "delivery": {"key": f"video.{event.kind}", "attempt": event.attempt, "max_attempts": 4},
        "data": data,
    }
    body, timestamp = json.dumps(envelope).encode(), str(int(now))
    signature = hmac.new(SECRET.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"x-phaseo-timestamp": timestamp, "x-phaseo-signature": signature}, body
