"""Compares what the gateway says with what its contract foresees. Raises nothing, whatever it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.core.drift import LONGEST_SAMPLE, Drift, DriftKind, Place, Seen
from orchestrator.gateway import expected, reading, vocabulary
from orchestrator.gateway.error_answers import ErrorAnswer, explain
from orchestrator.gateway.expected import Fields

_MOST_ITEMS = 16  # of a list inside an answer that are looked at; the gateway's have 10 at most
_MOST_NAMES = 16  # that one object is said to have too many
_BATCHES = "batch."  # they come through the same endpoint (contract 7), and are none of ours


def of_create_answer(status: int, headers: Mapping[str, str], body: bytes) -> Iterator[Seen]:
    """The answer to a create, whatever it is."""
    if not 200 <= status < 300:
        yield from of_error(explain(status, headers, body), headers)
        return
    try:
        yield from _of_create(reading.mapping(reading.decode(body)), headers)
    except reading.Unreadable:
        return  # which makes the create uncertain


def _of_create(data: Mapping[str, Any], headers: Mapping[str, str]) -> Iterator[Seen]:
    yield from _fields(Place.CREATE, data, expected.OF_CREATE)
    yield from _words(Place.CREATE, data)
    yield from _headers(Place.CREATE, headers)


def of_look(data: Mapping[str, Any], headers: Mapping[str, str]) -> Iterator[Seen]:
    """The status of one job."""
    yield from _fields(Place.LOOK, data, expected.OF_STATUS)
    yield from _words(Place.LOOK, data)
    yield from _hint(Place.LOOK, data)
    yield from _headers(Place.LOOK, headers)


def of_list(data: Mapping[str, Any], headers: Mapping[str, str]) -> Iterator[Seen]:
    """A list: what is around the items, and each of them."""
    yield from _fields(Place.LIST, data, expected.OF_LIST)
    yield from _headers(Place.LIST, headers)
    items = data.get("data")
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            yield from _fields(Place.LIST, item, expected.OF_STATUS)
            yield from _words(Place.LIST, item)


def of_snapshot(data: Mapping[str, Any]) -> Iterator[Seen]:
    """The `data` of a WebSocket's frame."""
    yield from _fields(Place.SNAPSHOT, data, expected.OF_STORED)
    yield from _words(Place.SNAPSHOT, data)


def of_delivery(payload: Mapping[str, Any], event_type: str) -> Iterator[Seen]:
    """The body of a webhook."""
    if event_type.startswith(_BATCHES):
        return
    if event_type not in vocabulary.BY_EVENT_TYPE:
        yield Seen(Drift.of(DriftKind.WEBHOOK_TYPE, Place.WEBHOOK, event_type))
    data = reading.mapping(payload.get("data"))
    yield from _fields(Place.WEBHOOK, payload, expected.OF_ENVELOPE)
    yield from _fields(Place.WEBHOOK, data, expected.OF_STORED, within="data.")
    yield from _words(Place.WEBHOOK, data)


def of_webhook_headers(headers: Mapping[str, str]) -> Iterator[Seen]:
    """The headers of a webhook that was believed; they are not signed. Names are lower case."""
    sender = headers.get("user-agent")
    if sender and sender not in expected.SENDERS:
        yield _header(Place.WEBHOOK, "user-agent", sender)
    ours = {name for name in headers if name.startswith(expected.FAMILY)}
    if not ours:
        return  # of the older family
    for name in sorted(expected.OF_WEBHOOKS - ours):
        yield _header(Place.WEBHOOK, name, "missing")
    for name in sorted(ours - expected.OF_WEBHOOKS)[:_MOST_NAMES]:
        yield _header(Place.WEBHOOK, name, headers[name])


def of_error(answer: ErrorAnswer, headers: Mapping[str, str]) -> Iterator[Seen]:
    """An answer that is an error. One without a word may come from whatever is in between."""
    if answer.code and answer.code not in expected.ERROR_CODES:
        yield Seen(Drift.of(DriftKind.ERROR_CODE, Place.ERROR, answer.code), f"HTTP {answer.status}")
    yield from _headers(Place.ERROR, headers, expected.OF_ERRORS)


def of_unreadable_delivery(why: str) -> Iterator[Seen]:
    """A webhook that was signed rightly, and could not be read."""
    yield Seen(Drift.of(DriftKind.UNREADABLE, Place.WEBHOOK, why))


def _fields(place: Place, data: Mapping[str, Any], known: Fields, *, within: str = "") -> Iterator[Seen]:
    for path, names in known.items():
        parts = [data] if not path else _at(data, path)
        for part in parts:
            unknown = part.keys() - names
            for name in sorted(unknown)[:_MOST_NAMES] if unknown else ():
                where = f"{within}{path}.{name}" if path else f"{within}{name}"
                yield Seen(Drift.of(DriftKind.FIELD, place, where))


def _at(data: Mapping[str, Any], path: str) -> Sequence[Mapping[str, Any]]:
    """The objects there: one, several, or none."""
    value: Any = data
    for step in path.split("."):
        if not isinstance(value, dict):
            return ()
        value = value.get(step)
    if isinstance(value, dict):
        return [value]
    listed = value[:_MOST_ITEMS] if isinstance(value, list) else ()
    return [item for item in listed if isinstance(item, dict)]


def _words(place: Place, data: Mapping[str, Any]) -> Iterator[Seen]:
    status = reading.word(data.get("status"), reading.STATUS)
    if status and status.strip().lower() not in vocabulary.LIVE:
        yield Seen(Drift.of(DriftKind.STATUS, place, status))
    lifecycle = reading.word(data.get("lifecycle_status"), reading.STATUS)
    if lifecycle and lifecycle.strip().lower() not in expected.LIFECYCLE:
        yield Seen(Drift.of(DriftKind.STATUS, place, f"lifecycle_status {lifecycle}"))


def _hint(place: Place, data: Mapping[str, Any]) -> Iterator[Seen]:
    told = data.get("poll_after_seconds", "absent")
    if told != expected.HINT or isinstance(told, bool):
        sample = reading.printed(told)[:LONGEST_SAMPLE]
        yield Seen(Drift.of(DriftKind.HINT, place, "poll_after_seconds"), sample)


def _headers(place: Place, headers: Mapping[str, str], known: frozenset[str] = frozenset()) -> Iterator[Seen]:
    for name, value in headers.items():
        if name.startswith(expected.TELLING) and name not in known:
            yield _header(place, name, value)


def _header(place: Place, name: str, value: str) -> Seen:
    return Seen(Drift.of(DriftKind.HEADER, place, name), value[:LONGEST_SAMPLE])
