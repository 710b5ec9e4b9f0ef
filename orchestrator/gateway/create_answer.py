"""What the answer to a create means: five classes, one table (gateway contract 1.1, 3).

A create costs money and cannot be repeated safely, so what the table does not surely know is
UNCERTAIN on the server's side (5xx, unreadable 2xx) and REFUSED on ours (4xx).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orchestrator.core.blame import Fault
from orchestrator.core.job import Failure, Observation, Source
from orchestrator.core.lifecycle import Seen
from orchestrator.gateway import reading, vocabulary
from orchestrator.gateway.error_answers import ErrorAnswer, explain


class CreateClass(StrEnum):
    """What a create has done."""

    CREATED = "created"  # the gateway has the job, and we have its id
    REFUSED = "refused"  # it will not make this job, now or later
    NO_JOB = "no_job"  # surely nothing was made; the same request may work later
    UNSENT = "unsent"  # the request never left: the connection was not made
    UNCERTAIN = "uncertain"  # a job may have been made, and may be billed


@dataclass(frozen=True, slots=True)
class CreateAnswer:
    """The class of an answer, what was seen, and whether the gateway refused our webhook endpoint.

    `retry_after` is in seconds, None where nobody said.
    """

    kind: CreateClass
    observation: Observation
    webhook_refused: bool = False
    retry_after: float | None = None


CREATED, REFUSED, NO_JOB, UNSENT, UNCERTAIN = CreateClass

SEEN = {REFUSED: Seen.REFUSED, NO_JOB: Seen.NO_JOB, UNSENT: Seen.NO_JOB, UNCERTAIN: Seen.LOST}

# By status and one of the answer's words (`error`, `reason` or `description`).
BY_WORD = {
    (401, "db_error"): NO_JOB,  # 1: a fault of the gateway, shown as 401
    (401, "server_misconfig_missing_pepper"): NO_JOB,
    (402, "insufficient_funds"): NO_JOB,  # the wallet can be filled
    (500, "gateway_context_failed"): NO_JOB,  # raised before any provider is asked
    (501, "not_implemented_yet"): NO_JOB,  # 3.4: the gate fails closed for a moment
    (501, "not_implemented"): NO_JOB,  # 0: the whole route was off, May to July 2026
}

BY_STATUS = {
    # These three ask for the same request elsewhere, so this one was not carried out. 302 and 303 are
    # also sent after carrying it out, and stay uncertain. The base URL is wrong: waits for a person.
    301: NO_JOB,
    307: NO_JOB,
    308: NO_JOB,
    408: NO_JOB,  # the request did not arrive whole
    425: NO_JOB,
    429: NO_JOB,
}

BY_FAMILY = {1: UNCERTAIN, 2: UNCERTAIN, 3: UNCERTAIN, 4: REFUSED, 5: UNCERTAIN}

# What one provider's refusal says, by the status it answered to the gateway (1.1, 502).
BY_PROVIDER_STATUS = {
    **dict.fromkeys((400, 404, 405, 413, 415, 422), REFUSED),
    **dict.fromkeys((401, 402, 403, 408, 409, 425, 429), NO_JOB),
}

BY_PROVIDER_CODE = {
    "reservation_unavailable": NO_JOB,  # 2.5: the hold comes before the submission
    "async_job_persistence_failed": UNCERTAIN,  # 3.2: the provider has the job, the gateway lost it
}


def classify(status: int, headers: Mapping[str, str], body: bytes) -> CreateAnswer:
    """The class of an answer. Total: every status with every body has one. Header names are lower case."""
    created = _created(body) if 200 <= status < 300 else None
    if created:
        return CreateAnswer(CREATED, created)
    answer = explain(status, headers, body)
    return CreateAnswer(
        kind=(kind := _kind(answer)),
        observation=_not_created(kind, answer, body),
        webhook_refused=kind is REFUSED and _names_webhook(answer),
        retry_after=answer.retry_after,
    )


def no_answer(kind: CreateClass, message: str) -> CreateAnswer:
    """The class of a call that ended without an answer: UNSENT, UNCERTAIN, or REFUSED by ourselves."""
    blame = Fault.REQUEST if kind is REFUSED else None
    seen = Observation(source=Source.CREATE, seen=SEEN[kind], failure=Failure(message), blame=blame)
    return CreateAnswer(kind, seen)


def _created(body: bytes) -> Observation | None:
    """The job that a 2xx answer tells of, if it tells of one by an id that we can use."""
    try:
        data = reading.mapping(reading.decode(body))
    except reading.Unreadable:
        return None
    seen = vocabulary.from_create(data, body.decode())
    return seen if seen.gateway_id else None


def _kind(answer: ErrorAnswer) -> CreateClass:
    for word in (answer.code, answer.reason, answer.message):
        if word and (answer.status, word) in BY_WORD:
            return BY_WORD[answer.status, word]
    if answer.status == 502:
        return _all_providers(answer.body)
    return BY_STATUS.get(answer.status) or BY_FAMILY.get(answer.status // 100, UNCERTAIN)


def _all_providers(body: Mapping[str, Any]) -> CreateClass:
    """A 502 of the gateway's own: certain only if every provider asked is accounted for.

    A network error at one provider has no status and drops out of `failed_statuses`.
    """
    samples = body.get("failure_sample")
    if not isinstance(samples, list) or not samples or body.get("attempt_count") != len(samples):
        return UNCERTAIN
    kinds = {_one_provider(reading.mapping(sample)) for sample in samples}
    if not _agree(body.get("failed_statuses"), samples) or UNCERTAIN in kinds:
        return UNCERTAIN
    return REFUSED if kinds == {REFUSED} else NO_JOB


def _one_provider(sample: Mapping[str, Any]) -> CreateClass:
    status, code = reading.index(sample.get("status")), reading.word(sample.get("upstream_error_code"))
    if status is None:
        return UNCERTAIN
    if code and "persistence" in code:  # the kin of async_job_persistence_failed, whatever their status
        return UNCERTAIN
    return BY_PROVIDER_CODE.get(code or "") or BY_PROVIDER_STATUS.get(status, UNCERTAIN)


def _agree(statuses: Any, samples: Sequence[Any]) -> bool:
    if not isinstance(statuses, list):
        return False
    listed = {reading.index(status) for status in statuses}
    return listed == {reading.index(reading.mapping(sample).get("status")) for sample in samples}


def _names_webhook(answer: ErrorAnswer) -> bool:
    """Whether a validation error is about the webhook we added, so that the rest may be right."""
    if answer.status != 400 or answer.code != "validation_error":
        return False
    details = answer.body.get("details")
    paths = [reading.mapping(item).get("path") for item in details] if isinstance(details, list) else []
    named = any(isinstance(path, list) and path[:1] == ["webhook"] for path in paths)
    return named or "webhook.endpoint_id" in answer.message


def _not_created(kind: CreateClass, answer: ErrorAnswer, body: bytes) -> Observation:
    return Observation(
        source=Source.CREATE,
        seen=SEEN[kind],
        failure=answer.failure,
        blame=_blame(kind, answer),
        request_id=answer.request_id,
        retry_after=answer.retry_after,
        note=answer.hint or None,
        raw=reading.kept(body.decode(errors="replace")),
    )


def _blame(kind: CreateClass, answer: ErrorAnswer) -> Fault | None:
    """Of what may work later, the gateway's own faults: those that it shows as 401 (1) too."""
    if kind is REFUSED:
        return Fault.REQUEST
    itself = answer.status in (401, 500, 501)
    return Fault.GATEWAY_ERROR if kind is NO_JOB and itself else None
