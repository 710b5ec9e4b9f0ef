"""The bodies of create, status and list answers, field for field (contract sections 1.1, 1.3, 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.sandbox.billing import billing_in_get, usage
from orchestrator.sandbox.clock import iso
from orchestrator.sandbox.links import Links
from orchestrator.sandbox.state import TERMINAL, Job
from orchestrator.sandbox.video import make_video, served_size

LIFECYCLE = {"queued": "pending", "processing": "running"}
_TIMINGS = (
    "throughput_tps",
    "output_speed_tps",
    "generation_ms",
    "latency_ms",
    "provider_ttft_ms",
    "gateway_ttft_ms",
    "tpot_ms",
    "itl_ms",
    "phaseo_overhead_ms",
    "end_to_end_ms",
)


@dataclass(frozen=True)
class Sight:
    """One look at a job: what to say about it, and when."""

    status: str  # queued, processing or terminal
    progress: int
    now: float
    fresh: bool = False  # this very look found the end, so nothing is settled yet


@dataclass(frozen=True)
class Scribe:
    """Writes answers for one sandbox."""

    base: str  # http://host:port
    links: Links
    seed: int
    poll_after_seconds: float
    signing: bool

    def created(self, job: Job, status: str) -> dict[str, Any]:
        """The create answer, which has no polling hints."""
        body: dict[str, Any] = {
            "requestId": job.id,
            "id": job.id,
            "object": "video",
            "model": job.slug,
            "status": status,
            "progress": 0,
        }
        openai = job.profile.openai_types
        if openai:
            body["created_at"] = int(job.created_at)
        body |= {
            "completed_at": None,
            "expires_at": None,
            "error": None,
            "prompt": job.body.get("prompt") if openai else None,
            "remixed_from_video_id": None,
        }
        if openai:
            body |= {"seconds": str(job.seconds), "size": job.body.get("size", "1280x720")}
        return body | {
            "nativeResponseId": None,
            "provider": job.profile.name,
            "meta": dict.fromkeys(_TIMINGS),
            "usage": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0},
        }

    def status(self, job: Job, sight: Sight) -> dict[str, Any]:
        """The GET answer."""
        done = sight.status == "completed"
        access = job.body.get("output", {}).get("access", "both")
        link, expires_at = self._link(job, sight, 0) if done and access != "bytes" else (None, None)
        listed = self._outputs(job, sight, access) if done and lists_outputs(job) else []
        body = self._head(job, sight, access) | {
            "created_at": moment(job, job.created_at),
            "expires_at": expires_at,
            "started_at": None,
            "completed_at": moment(job, job.finalized_at) if sight.status in TERMINAL else None,
            "provider": job.profile.name,
            "model": job.slug,
            "seconds": str(job.seconds) if job.profile.openai_types else job.seconds,
            "size": size_of(job),
        }
        if job.profile.openai_types:
            body |= {"prompt": job.body.get("prompt"), "remixed_from_video_id": None}
        body |= {
            "audio": None,
            "asset": self._asset(job) if listed else None,
            "outputs": listed,
            "usage": usage(job),
        }
        if sight.status in TERMINAL - {"completed"}:
            body |= error_of(job, sight.status)
        body["billing"] = billing_in_get(job, sight.status, sight.fresh)
        return body | self._webhook(job) | self._addresses(job, access, link)

    def listed(self, job: Job, now: float) -> dict[str, Any]:
        """The same job in a list: stored state, never any outputs."""
        status = "processing" if job.stored == "in_progress" else job.stored
        body = self.status(job, Sight(status, 100 if status == "completed" else 0, now))
        body |= {"outputs": [], "asset": None, "model": job.model}
        body.pop("error", None)
        return body

    def content_url(self, job: Job, index: int = 0) -> str:
        """Where the bytes of an output are."""
        return f"{self.base}/v1/videos/{job.id}/content" + (f"?index={index}" if index else "")

    def websocket_url(self, job: Job) -> str:
        """Where the job's WebSocket is."""
        return f"ws{self.base.removeprefix('http')}/v1/async/video/{job.id}/ws"

    def _head(self, job: Job, sight: Sight, access: str) -> dict[str, Any]:
        running = sight.status == "processing"
        shown = "in_progress" if running and job.profile.openai_types else sight.status
        if job.switches.status_word and sight.status not in TERMINAL:
            shown = job.switches.status_word
        body = {
            "id": job.id,
            "object": "video",
            "status": shown,
            "lifecycle_status": LIFECYCLE.get(sight.status, sight.status),
            "output_access": access,
            "progress": sight.progress,
            "progress_source": "provider" if job.profile.openai_types else "none",
            "polling_url": f"{self.base}/v1/videos/{job.id}",
            "websocket_url": self.websocket_url(job),
        }
        if job.switches.poll_after_seconds != "absent":
            hint = job.switches.poll_after_seconds
            body["poll_after_seconds"] = _plain(self.poll_after_seconds if hint is None else hint)
        return body | {"cancel_url": None, "generation_id": job.id, "native_video_id": job.native_id}

    def _outputs(self, job: Job, sight: Sight, access: str) -> list[dict[str, Any]]:
        rows = []
        for index in range(job.output_count):
            row: dict[str, Any] = {"index": index, "mime_type": "video/mp4", "bytes_available": False}
            if access != "signed_url":
                row["content_url"] = self.content_url(job, index)
            link, expires_at = self._link(job, sight, index)
            if access != "bytes" and link:
                row |= {"download_url": link, "expires_at": expires_at}
            rows.append(row)
        return rows

    def _asset(self, job: Job) -> dict[str, Any]:
        right = served_size(make_video(self.seed, job.number, 0), job.switches.content_bytes)
        claimed = {"null": None, "right": right, "wrong": right + 1}[job.switches.asset_bytes]
        return {
            "id": "ast_" + job.id.removeprefix("G-"),
            "mime_type": "video/mp4",
            "bytes": claimed,
            "sha256": None,
            "width": None,
            "height": None,
            "duration_seconds": job.seconds,
        }

    def _webhook(self, job: Job) -> dict[str, Any]:
        if job.webhook_endpoint is None:
            return {}
        last = job.history[-1] if job.history else None
        body: dict[str, Any] = {"webhook": webhook_block(job)}
        if last:
            body |= {
                "next_webhook_retry_at": last["next_retry_at"],
                "last_webhook_dispatched_at": last["tried_at"],
            }
        return body

    def _addresses(self, job: Job, access: str, link: str | None) -> dict[str, Any]:
        body: dict[str, Any] = {} if access == "signed_url" else {"content_url": self.content_url(job)}
        return body if access == "bytes" else body | {"download_url": link}

    def _link(self, job: Job, sight: Sight, index: int) -> tuple[str | None, int | None]:
        return self.links.make(self.base, job.id, sight.now, index) if self.signing else (None, None)


def lists_outputs(job: Job) -> bool:
    """Whether GET names the outputs of this job."""
    wanted = job.switches.outputs_listed
    return job.output_count > 0 and (job.profile.lists_outputs if wanted is None else wanted)


def moment(job: Job, at: float | None) -> int | str | None:
    """A time as this provider gives it: unix seconds or ISO."""
    if at is None:
        return None
    return int(at) if job.profile.openai_types else iso(at)


def size_of(job: Job) -> str:
    """The size or resolution asked for."""
    return str(job.body.get("size") or job.body.get("resolution") or "720p")


def error_of(job: Job, status: str) -> dict[str, Any]:
    """The `error` field in the form of the provider, or no field at all."""
    form = job.profile.error if job.switches.error == "provider" else job.switches.error
    message = {"cancelled": "The operation was cancelled.", "expired": "Operation expired"}.get(
        status, job.switches.error_message
    )
    if form == "object":
        return {"error": {"code": "moderation_blocked" if status == "failed" else status, "message": message}}
    return {"error": message} if form == "string" else {}


def webhook_block(job: Job) -> dict[str, Any]:
    """The `webhook` object of a job: what was asked for and how deliveries went."""
    rows, owed = job.history, list(job.deliveries.values())
    last = rows[-1] if rows else {}
    delivered = [row for row in owed if row.state == "delivered"]
    retries = sorted(row.retry_at for row in owed if row.state == "scheduled_retry" and row.retry_at)
    failures = [row["tried_at"] for row in rows if row["delivered_at"] is None]
    return {
        "endpoint_id": job.webhook_endpoint,
        "url": None,
        "events": job.webhook_events,
        "has_secret": True,
        "delivery": {
            "total_attempts": len(rows),
            "delivered_events": len(delivered),
            "delivered_event_types": [row.type for row in delivered],
            "pending_retries": len(retries),
            "next_retry_at": iso(retries[0]) if retries else None,
            "last_attempt_at": last.get("tried_at"),
            "last_attempt_status": last.get("status"),
            "last_response_status": last.get("response_status"),
            "last_delivered_at": next(
                (row["delivered_at"] for row in reversed(rows) if row["delivered_at"]), None
            ),
            "last_failure_at": failures[-1] if failures else None,
            "last_error_message": next(
                (row["error_message"] for row in reversed(rows) if row["error_message"]), None
            ),
        },
        "attempts": rows[-10:],
    }


def _plain(number: float) -> float:
    return int(number) if float(number).is_integer() else number
