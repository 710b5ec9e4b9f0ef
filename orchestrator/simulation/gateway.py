"""The gateway's own side: jobs, what it has stored of them, and what their providers show (contract 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from orchestrator.simulation.chance import Fault
from orchestrator.simulation.scheduler import Scheduler
from orchestrator.simulation.tools import Chance

TERMINAL = ("completed", "failed", "cancelled", "expired")
CONTRADICTIONS = ("processing", "queued", *("completed",) * 3, *("failed",) * 3, "cancelled", "expired")
TICK = 30.0  # seconds until the gateway notices by itself that a job has ended; a tenth of the real one
ENDINGS = ("completed",) * 6 + ("failed",) * 3 + ("cancelled", "expired")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway answers: a JSON value or plain text. `retry_after` is in seconds."""

    status: int
    body: Any
    retry_after: int | None = None


@dataclass(slots=True)
class GatewayJob:
    """One job as its provider and the gateway know it."""

    id: str
    session_id: str
    made_at: float
    twin: str  # the job that it has its content from: mostly itself
    ends_at: float
    ending: str
    outputs: int
    asked_outputs: int
    wants_hooks: bool
    poll_after: float | None
    lists_outputs: bool
    tells_reason: bool
    mime_type: str
    missing_until: float  # completed, and its content comes late or never
    tells_session: bool  # to webhooks
    stored: str = "queued"
    shown: set[str] = field(default_factory=set)  # every status that was ever shown live


@dataclass(slots=True)
class PretendGateway:
    """Every job that was made. `announce` sends a webhook of a job, `made` is told of a new job of ours."""

    scheduler: Scheduler
    chance: Chance
    list_reaches: int
    announce: Callable[[GatewayJob, str], None]
    made: Callable[[GatewayJob], None]
    jobs: dict[str, GatewayJob] = field(default_factory=dict)

    def make(self, session_id: str, *, wants_hooks: bool, samples: int) -> GatewayJob:
        """What a create does, whoever hears of it."""
        random = self.chance.random
        now = self.scheduler.now
        ending = random.choice(ENDINGS)
        never = random.random() < 0.04
        job_id, twin = f"G-{len(self.jobs) + 1:04d}", next(reversed(self.jobs), None)
        job = GatewayJob(
            id=job_id,
            twin=twin if twin and random.random() < 0.3 else job_id,
            session_id=session_id,
            made_at=now,
            ends_at=inf if never else now + random.choice((0.0, 0.0, 3.0, 15.0, 45.0)) + 5 * random.random(),
            ending=ending,
            outputs=samples if random.random() < 0.8 else 1,
            asked_outputs=samples,
            wants_hooks=wants_hooks,
            poll_after=random.choice((20.0, 20.0, None, 7.0, 40.0, 40.0)),
            lists_outputs=random.random() < 0.7,
            tells_reason=random.random() < 0.5,
            mime_type=random.choice(("video/mp4", "video/mp4", "video/webm")),
            missing_until=random.choice((inf, inf, now + 150.0)) if random.random() < 0.1 else 0.0,
            tells_session=random.random() < 0.5,
        )
        self.jobs[job.id] = job
        if not session_id.startswith("stranger"):
            self.made(job)
            self.announce(job, "created")
            if not never:
                self.scheduler.at(job.ends_at + TICK * random.random(), lambda: self.finalise(job))
        return job

    def finalise(self, job: GatewayJob) -> None:
        """Store the end, once and for ever, and announce it."""
        if job.stored not in TERMINAL:
            job.stored = job.ending
            self.announce(job, job.ending)

    def ended(self, job: GatewayJob) -> bool:
        """Whether the provider is done with it."""
        return self.scheduler.now >= job.ends_at

    def made_for(self, session_id: str) -> list[GatewayJob]:
        """The jobs that were made for one create attempt."""
        return [job for job in self.jobs.values() if job.session_id == session_id]

    # what is asked of it

    def look(self, gateway_id: str) -> Answer:
        """GET: what the provider shows at this moment; an end that it shows is stored and announced."""
        job = self.jobs[gateway_id]
        if self.chance.happens(Fault.LOOK_502):
            return Answer(
                502, {"error": "upstream_error", "reason": "provider_fetch_failed", "request_id": "G-x"}
            )
        status = self._live(job)
        job.shown.add(status)
        over = status in TERMINAL and status == job.ending and self.ended(job)
        if over and job.stored not in TERMINAL and not self.chance.happens(Fault.NOT_FINALISED):
            self.finalise(job)
        return Answer(200, self._shown(job, status) | self._details(job, status))

    def listed(self) -> Answer:
        """The list: what is stored of the most recent jobs."""
        if self.chance.happens(Fault.LIST_502):
            return Answer(502, {"error": "upstream_error", "reason": "list_failed", "request_id": "G-x"})
        recent = list(self.jobs.values())[-self.list_reaches :]
        listed = [self._shown(job, job.stored) | {"outputs": []} for job in reversed(recent)]
        return Answer(200, {"data": listed})

    def snapshot(self, gateway_id: str) -> Answer:
        """The first frame of a job's WebSocket: what is stored, and the session."""
        if self.chance.happens(Fault.LIST_502):
            return Answer(500, "Internal Server Error")
        job = self.jobs[gateway_id]
        return Answer(200, self._shown(job, job.stored) | {"session_id": job.session_id})

    def content(self, gateway_id: str, index: int) -> Answer:
        """The bytes of one output; an index that does not exist gets output 0."""
        job = self.jobs[gateway_id]
        if self.chance.happens(Fault.CONTENT_502):
            return Answer(502, {"error": "upstream_error", "reason": "provider_content_fetch_failed"})
        if not self.ended(job):
            return Answer(409, {"error": "not_ready", "reason": "video_not_ready"})
        if self.scheduler.now < job.missing_until:
            return Answer(502, {"error": "upstream_error", "reason": "missing_video_uri"})
        return Answer(200, bytes_of(job, index))

    def answers_create(self, job: GatewayJob) -> Answer:
        """What a create answers that is heard: also that the provider has ended the job already (1.1)."""
        status = job.ending if self.ended(job) and self.chance.random.random() < 0.5 else "queued"
        status = status if status in ("queued", "completed") else "failed"
        job.shown.add(status)
        return Answer(200, {"id": job.id, "requestId": job.id, "status": status, "progress": 0})

    def _live(self, job: GatewayJob) -> str:
        """What the provider says now; it may contradict what is stored, a good end too (2.2)."""
        pick = self.chance.random.choice
        if job.stored in TERMINAL and self.chance.happens(Fault.LIVE_REGRESSES):
            return pick([word for word in CONTRADICTIONS if word != job.stored])
        if not self.ended(job):
            return pick(TERMINAL[1:]) if self.chance.happens(Fault.CRIES_WOLF) else "processing"
        return job.ending

    def _shown(self, job: GatewayJob, status: str) -> dict[str, Any]:
        return {
            "id": job.id,
            "status": status,
            "progress": 100 if status == "completed" else self._percent(job),
            "provider": "google-ai-studio",
            "model": "google/veo-3.1-lite",
        }

    def _percent(self, job: GatewayJob) -> int:
        return min(99, int(self.scheduler.now - job.made_at))

    def _details(self, job: GatewayJob, status: str) -> dict[str, Any]:
        told: dict[str, Any] = {"poll_after_seconds": job.poll_after} if job.poll_after else {}
        if status == "completed":
            listed = range(job.outputs) if job.lists_outputs or job.outputs > 1 else ()
            told["outputs"] = [{"index": index, "mime_type": job.mime_type} for index in listed]
        elif status in TERMINAL and job.tells_reason:
            told["error"] = {"code": status, "message": f"the provider says that it {status}"}
        return told


def bytes_of(job: GatewayJob, index: int) -> bytes:
    """A whole small file, different for each output that exists."""
    real = index if index < job.outputs else 0
    unique = f"{job.twin}/{real}".encode()
    if job.mime_type != "video/mp4":
        return b"webm" + unique
    return _box(b"ftyp", b"isom") + _box(b"moov", b"") + _box(b"mdat", unique)


def _box(kind: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4) + kind + body
