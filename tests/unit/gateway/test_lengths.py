"""However long a word of the gateway's is, what we make of it fits the column that it goes to."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from sqlalchemy import Column, String

from orchestrator.core.job import Observation
from orchestrator.gateway import reading, vocabulary
from orchestrator.gateway.create_answer import classify
from orchestrator.gateway.error_answers import explain
from orchestrator.gateway.webhooks import parse
from orchestrator.store.schema import inbox, jobs, observations, outputs

LONG = "x" * 10_000
JOB = {
    "id": "G" * 128,
    **dict.fromkeys(("status", "provider", "model", "generation_id", "session_id"), LONG),
    "outputs": [{"index": 0, "mime_type": LONG}],
}
RAW = json.dumps(JOB)


def width(column: Column[Any]) -> int:
    assert isinstance(column.type, String)
    return column.type.length or 0


def check(*pairs: tuple[str | None, Column[Any]]) -> None:
    """Each text is there, as long as its column is wide at most."""
    for text, column in pairs:
        assert text
        assert len(text) <= width(column), column


OBSERVATIONS = {
    "create": classify(202, {}, RAW.encode()).observation,
    "look": vocabulary.from_look(JOB, RAW),
    "list": vocabulary.from_list(JOB),
    "webhook": vocabulary.from_webhook("video.progress", JOB, RAW),
}


@pytest.mark.parametrize("seen", OBSERVATIONS.values(), ids=OBSERVATIONS.keys())
def test_an_observation_fits(seen: Observation) -> None:
    check(
        (seen.gateway_id, jobs.c.gateway_id),
        (seen.status, jobs.c.gateway_status),
        (seen.status, observations.c.status),
        (seen.provider, jobs.c.provider),
        (seen.model, jobs.c.model),
        (seen.request_id, jobs.c.request_id),
        (seen.request_id, observations.c.request_id),
    )
    for output in seen.outputs or ():
        check((output.mime_type, outputs.c.mime_type))


@pytest.mark.parametrize("name", ["request_id", "generation_id", "requestId"])
def test_a_refusal_fits(name: str) -> None:
    body = json.dumps({"error": LONG, name: LONG}).encode()
    check(
        (explain(400, {}, body).request_id, observations.c.request_id),
        (classify(400, {}, body).observation.request_id, jobs.c.request_id),
    )


@pytest.mark.parametrize("envelope", [{"id": LONG}, {}], ids=["with an id", "without an id"])
def test_a_delivery_fits(envelope: dict[str, Any]) -> None:
    found = parse(json.dumps({"type": "video." + LONG, "data": JOB, **envelope}).encode())
    check(
        (found.event_key, inbox.c.event_key),
        (found.type, inbox.c.type),
        (found.gateway_id, inbox.c.gateway_id),
        (found.session_id, inbox.c.session_id),
    )


def test_nothing_is_cut_that_would_fit() -> None:
    limits: Iterable[tuple[int, Column[Any]]] = [
        (reading.STATUS, jobs.c.gateway_status),
        (reading.PROVIDER, jobs.c.provider),
        (reading.WORD, jobs.c.model),
        (reading.MIME_TYPE, outputs.c.mime_type),
        (reading.REQUEST_ID, jobs.c.request_id),
        (reading.SESSION_ID, inbox.c.session_id),
        (reading.EVENT_TYPE, inbox.c.type),
    ]
    assert [limit for limit, _ in limits] == [width(column) for _, column in limits]
