"""What the gateway says about a job, in our words.

Sections are those of the gateway contract. A word that is not in a table is kept as it came and means
"not ended": the gateway itself shows unknown provider words as `queued` (2.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.core.blame import Fault
from orchestrator.core.job import Failure, Observation, OutputSeen, Source
from orchestrator.core.lifecycle import Seen
from orchestrator.gateway import deliveries, reading

# 2.1: `status` in the create answer, GET, list, webhooks and WebSocket frames, of all generations.
OPEN_WORDS = frozenset({"queued", "pending", "processing", "in_progress", "running"})

# What the gateway shows at this moment and may take back (2.2): GET and the create answer.
LIVE = {
    **dict.fromkeys(OPEN_WORDS, Seen.OPEN),
    "completed": Seen.COMPLETED,
    "failed": Seen.FAILED_LIVE,
    "cancelled": Seen.CANCELLED_LIVE,
    "canceled": Seen.CANCELLED_LIVE,
    "expired": Seen.EXPIRED_LIVE,
}

# What it has stored, where the first terminal state stays (2.2): webhooks, list, WebSocket.
STORED = {
    **dict.fromkeys(OPEN_WORDS, Seen.OPEN),
    "completed": Seen.COMPLETED,
    "failed": Seen.FAILED_STORED,
    "cancelled": Seen.CANCELLED_STORED,
    "canceled": Seen.CANCELLED_STORED,
    "expired": Seen.EXPIRED_STORED,
}

# 4.3: what the type of a webhook says when its data has no status that we know.
BY_EVENT_TYPE = {
    "video.created": Seen.OPEN,
    "video.status_changed": Seen.OPEN,
    "video.progress": Seen.OPEN,
    "video.completed": Seen.COMPLETED,
    "video.failed": Seen.FAILED_STORED,
    "video.cancelled": Seen.CANCELLED_STORED,
    "video.expired": Seen.EXPIRED_STORED,
}

_ENDED_WELL_OR_NOT_AT_ALL = frozenset({Seen.OPEN, Seen.COMPLETED})
_MOST_OUTPUTS = 64  # the gateway makes 4 at most (1.1)
_MESSAGE_LIMIT = 2000
_DETAIL_LIMIT = 16 * 1024


def from_create(data: Mapping[str, Any], raw: str) -> Observation:
    """The 2xx answer to a create (1.1): live evidence, without outputs and hints."""
    return _observation(Source.CREATE, data, LIVE, raw)


def from_look(data: Mapping[str, Any], raw: str) -> Observation:
    """The answer to GET of one job (1.3): live evidence, the only kind that tells of outputs."""
    return _observation(Source.POLL, data, LIVE, raw)


def from_list(data: Mapping[str, Any]) -> Observation:
    """One item of the list (1.6), or the `data` of a WebSocket snapshot (6): stored evidence."""
    return _observation(Source.LIST, data, STORED, reading.printed(data))


def from_webhook(event_type: str, data: Mapping[str, Any], raw: str) -> Observation:
    """The `data` of a webhook (4.5): the job as stored at send time, maybe fresher than the type (4.4)."""
    otherwise = BY_EVENT_TYPE.get(event_type, Seen.OPEN)
    return _observation(Source.WEBHOOK, data, STORED, raw, otherwise)


def _observation(
    source: Source, data: Mapping[str, Any], words: Mapping[str, Seen], raw: str, otherwise: Seen = Seen.OPEN
) -> Observation:
    status = reading.word(data.get("status"), reading.STATUS)
    known = words.get(status.strip().lower()) if status else None
    seen = known or otherwise
    return Observation(
        source=source,
        seen=seen,
        gateway_id=reading.gateway_id(data.get("id")),
        status=status,
        progress=progress(data.get("progress")),
        provider=reading.word(data.get("provider"), reading.PROVIDER),
        model=reading.word(data.get("model")),
        outputs=outputs(data, seen) if source is Source.POLL else None,
        failure=failure(data.get("error")) or failure(data.get("upstream_error")),
        blame=None if seen in _ENDED_WELL_OR_NOT_AT_ALL else Fault.PROVIDER,
        request_id=reading.first_word(
            data, "generation_id", "request_id", "requestId", limit=reading.REQUEST_ID
        ),
        poll_after=poll_after(data.get("poll_after_seconds")),
        cost_usd=cost_usd(data),
        note=f"unknown status word {status!r}" if status and known is None else None,
        raw=reading.kept(raw),
        ended_at=None if seen is Seen.OPEN else ended_at(data),
        # A webhook has the same, but cannot know of itself.
        hook=deliveries.told_of_end(data) if source in (Source.POLL, Source.LIST) else None,
    )


def ended_at(data: Mapping[str, Any]) -> float | None:
    """When the gateway stored the end: `completed_at` in GET and list (1.3), else `finalized_at` (4.5)."""
    told = (reading.moment(data.get(key)) for key in ("completed_at", "finalized_at"))
    return next((at for at in told if at is not None), None)


def progress(value: Any) -> int | None:
    """A percentage, clamped to 0…100."""
    found = reading.number(value)
    return None if found is None else int(min(max(found, 0.0), 100.0))


def poll_after(value: Any) -> float | None:
    """The wished spacing of looks in seconds, if it is a number above 0 (1.3: always 20)."""
    found = None if isinstance(value, str) else reading.number(value)
    return found if found is not None and found > 0 else None


def outputs(data: Mapping[str, Any], seen: Seen) -> tuple[OutputSeen, ...] | None:
    """What GET tells of outputs (1.3); None where it tells nothing, as before the end."""
    listed = data.get("outputs")
    if not isinstance(listed, list) or (not listed and seen is not Seen.COMPLETED):
        return None
    first_size = reading.size(reading.mapping(data.get("asset")).get("bytes"))
    found: dict[int, OutputSeen] = {}
    for position, item in enumerate(listed[:_MOST_OUTPUTS]):
        output = _output(position, reading.mapping(item), first_size)
        found.setdefault(output.index, output)
    return tuple(found[at] for at in sorted(found))


def _output(position: int, item: Mapping[str, Any], first_size: int | None) -> OutputSeen:
    at = reading.index(item.get("index"))
    at = position if at is None else at
    mime_type = reading.word(item.get("mime_type"), reading.MIME_TYPE)
    return OutputSeen(at, mime_type, first_size if at == 0 else None)


def failure(value: Any) -> Failure | None:
    """`error` or `upstream_error` (2.4): absent, a string, or any object, by provider."""
    if isinstance(value, str):
        return Failure(value[:_MESSAGE_LIMIT], None, bounded(value)) if value.strip() else None
    if isinstance(value, dict):
        return _failure_object(value)
    # false and 0 say that there is no error; a list or a number is kept as it came.
    return Failure(reading.printed(value)[:_MESSAGE_LIMIT], None, bounded(value)) if value else None


def _failure_object(value: Mapping[str, Any]) -> Failure | None:
    if all(part is None for part in value.values()):
        return None
    code = reading.first_word(value, "code", "type", "status")
    message = next((said for key in ("message", "description") if (said := sentence(value.get(key)))), None)
    return Failure(message or f"no message, code {code}", code, bounded(value))


def sentence(value: Any) -> str | None:
    """A non-empty text, cut at 2000 characters."""
    return value[:_MESSAGE_LIMIT] if isinstance(value, str) and value.strip() else None


def bounded(value: Any) -> Any:
    """A JSON value as it came, or as cut text when it is beyond 16 KiB."""
    text = reading.printed(value)
    return value if len(text) <= _DETAIL_LIMIT else text[:_DETAIL_LIMIT] + reading.CUT


def cost_usd(data: Mapping[str, Any]) -> float | None:
    """What the job costs us: settled if it is (2.5), else what the usage says (1.3)."""
    settled = reading.number(reading.mapping(data.get("billing")).get("settled_user_cost"))
    return (
        settled if settled is not None else reading.number(reading.mapping(data.get("usage")).get("cost_usd"))
    )
