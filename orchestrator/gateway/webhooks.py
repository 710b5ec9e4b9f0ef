"""The body of a delivery, read after its signature was checked (gateway contract 4.5).

Only the body is signed, so nothing is taken from headers (4.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.core.drift import Seen
from orchestrator.core.job import Observation
from orchestrator.errors import RequestError
from orchestrator.gateway import drift, reading, vocabulary

OURS = "video."  # 4.3: batches send `batch.*` through the same endpoint


class BadDelivery(RequestError):
    """The body of a delivery is not what the gateway sends."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery: which event it is, about which job, and what it says.

    `event_key` is equal for all attempts of one event. `observation` is None for types that are not
    ours to follow: they are remembered and ignored. `unforeseen` is what the contract does not have.
    """

    event_key: str
    type: str
    gateway_id: str
    session_id: str | None
    observation: Observation | None
    unforeseen: tuple[Seen, ...] = ()


def parse(body: bytes) -> Delivery:
    """The delivery in a body. Raises BadDelivery, and nothing else, whatever the bytes are."""
    payload = _object(body)
    data = payload.get("data")
    if not isinstance(data, dict):
        raise BadDelivery("the delivery has no data object")
    job = reading.gateway_id(data.get("id"))
    if job is None:
        raise BadDelivery("the delivery names no job: data.id is missing or no id")
    event_type = reading.word(payload.get("type"), reading.EVENT_TYPE) or ""
    return Delivery(
        # Deliveries of the first generation have no id of their own (0).
        event_key=reading.word(payload.get("id")) or f"{job}:{event_type}",
        type=event_type,
        gateway_id=job,
        session_id=reading.word(data.get("session_id"), reading.SESSION_ID),
        observation=_observation(event_type, data, body),
        unforeseen=tuple(drift.of_delivery(payload, event_type)),
    )


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        payload = reading.decode(body)
    except reading.Unreadable as exc:
        raise BadDelivery("the delivery is not JSON in UTF-8") from exc
    if not isinstance(payload, dict):
        raise BadDelivery("the delivery is not a JSON object")
    return payload


def _observation(event_type: str, data: Mapping[str, Any], body: bytes) -> Observation | None:
    if not event_type.startswith(OURS):
        return None
    return vocabulary.from_webhook(event_type, data, body.decode())
