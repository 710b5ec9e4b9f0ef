"""What answers say of webhooks, as the gateway saw them: those about the end, and all (contract 1.3, 4.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.core.job import HookTold
from orchestrator.gateway import reading

# 4.3: the wire says `video.…`; `job.…` is an alias of subscriptions, and old rows may have it.
OF_AN_END = frozenset(
    f"{kind}.{phase}"
    for kind in ("video", "job")
    for phase in ("completed", "failed", "cancelled", "canceled", "expired")
)
DELIVERED = "delivered"
_MOST_ATTEMPTS = 64  # the gateway shows 10
_MOST_TRIES = 1_000


def told_of_end(data: Mapping[str, Any]) -> HookTold | None:
    """What came of telling us the end; None where the gateway was not asked to call.

    Of the last ten attempts, which `video.progress` and the like may fill: what is said of those is not read.
    """
    webhook = data.get("webhook")
    if not isinstance(webhook, dict):
        return None
    attempts = _attempts_at_the_end(webhook)
    last = attempts[-1] if attempts else {}
    delivered = any(_arrived(one) for one in attempts) or _says_delivered(webhook)
    return HookTold(
        tries=min(max([len(attempts), *(_number(one) for one in attempts)]), _MOST_TRIES),
        delivered=delivered,
        last_status=_http_status(last.get("response_status")),
        last_error=reading.word(last.get("error_message")),
        next_try_at=None if delivered else reading.moment(last.get("next_retry_at")),
    )


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt at one webhook; `status` is the HTTP status that our receiver answered, None for none."""

    gateway_id: str
    endpoint_id: str | None
    event: str | None
    at: float
    attempt: int
    delivered: bool
    status: int | None
    error: str | None
    next_try_at: float | None


def tries(items: Iterable[Mapping[str, Any]]) -> list[Try]:
    """What the items of a list tell of attempts, the newest first."""
    found = [one for item in items for one in _tries(item)]
    return sorted(found, key=lambda one: one.at, reverse=True)


def _tries(item: Mapping[str, Any]) -> Iterator[Try]:
    webhook, gateway_id = reading.mapping(item.get("webhook")), reading.gateway_id(item.get("id"))
    for row in _rows(webhook):
        at = reading.moment(row.get("tried_at"))
        if gateway_id is None or at is None:
            continue
        yield Try(
            gateway_id,
            reading.word(webhook.get("endpoint_id")),
            reading.word(row.get("event_type") or row.get("delivery_key")),
            at,
            _number(row),
            _arrived(row),
            _http_status(row.get("response_status")),
            reading.word(row.get("error_message")),
            reading.moment(row.get("next_retry_at")),
        )


def _rows(webhook: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = webhook.get("attempts")
    return [reading.mapping(one) for one in listed[:_MOST_ATTEMPTS]] if isinstance(listed, list) else []


def _attempts_at_the_end(webhook: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Oldest first, in whatever order they are told."""
    ends = [one for one in _rows(webhook) if _is_of_an_end(one.get("event_type") or one.get("delivery_key"))]
    return sorted(ends, key=lambda one: (reading.moment(one.get("tried_at")) or 0.0, _number(one)))


def _says_delivered(webhook: Mapping[str, Any]) -> bool:
    listed = reading.mapping(webhook.get("delivery")).get("delivered_event_types")
    return isinstance(listed, list) and any(_is_of_an_end(one) for one in listed)


def _is_of_an_end(value: Any) -> bool:
    return isinstance(value, str) and value in OF_AN_END


def _arrived(attempt: Mapping[str, Any]) -> bool:
    return attempt.get("status") == DELIVERED or reading.moment(attempt.get("delivered_at")) is not None


def _number(attempt: Mapping[str, Any]) -> int:
    return reading.index(attempt.get("attempt_number")) or 0


def _http_status(value: Any) -> int | None:
    found = reading.index(value)
    return found if found is not None and 100 <= found <= 599 else None
