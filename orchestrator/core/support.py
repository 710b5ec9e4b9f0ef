"""What to paste to somebody's support about a fault of a job: enough to find it there, nothing secret. Pure.

The prompt stays here, and so does whatever else the request says in words, also where an answer repeats it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from orchestrator.core.blame import TOLD, Addressee, Fault, Finding, Met
from orchestrator.core.job import Job

SHORTEST = 12  # characters of a text that could be nobody else's
LONGEST_ECHO = 20_000
SHORTEST_PROMPT = 3  # of a prompt, as whole words
_LEFT_OUT = "[of the request]"
_PROMPTS = frozenset({"prompt", "negative_prompt"})
_QUERY = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']+")
# What a request says in words that everybody knows.
_PLAIN = frozenset({"model", "size", "resolution", "aspect_ratio", "seconds", "person_generation"})

_TO = {
    Addressee.GATEWAY: "the gateway's support",
    Addressee.PROVIDER: "the provider's support, through the gateway's",
    Addressee.OPERATOR: "whoever runs this orchestrator",
    Addressee.CALLER: "whoever asked for the job",
}

# By fault: what happened, and what is asked.
_WORDS = {
    Fault.PROVIDER: (
        "the provider ended a video job without a result",
        "Please tell why it ended so, and whether the same request may work when it is sent again.",
    ),
    Fault.REQUEST: (
        "a video job was refused when it was created",
        "Please tell what in the request is refused, and by whom: the gateway, or each provider.",
    ),
    Fault.GATEWAY_ERROR: (
        "the gateway answered with an error of its own",
        "Please tell what went wrong with this request, and whether it is mended.",
    ),
    Fault.HOOK_NOT_SENT: (
        "no webhook told the end of a video job",
        "Please tell whether the webhook was sent, when, to which URL, and what was answered.",
    ),
    Fault.HOOK_REFUSED_BY_US: (
        "our side did not take a webhook of the gateway",
        "See what the receiver, or the proxy before it, answered at that time, and why: `/readyz`, its log.",
    ),
    Fault.HOOK_EXHAUSTED: (
        "the gateway gave a webhook up after all its tries",
        "See why none of the tries was answered with 2xx; jobs are found by looks meanwhile.",
    ),
    Fault.SIGNATURE_REJECTED: (
        "a webhook that names a job was not believed",
        "`orchestrator inbox --rejected` says why; compare the secret with the endpoint's, and the clocks.",
    ),
    Fault.POLL_FAULT: (
        "the status of a video job could not be read",
        "Please tell why the status of this job cannot be read, and where it stands.",
    ),
    Fault.UNCERTAIN_CREATE: (
        "the answer to a create call was lost",
        "Please tell whether a job was made with this session id, which one, and whether it is billed.",
    ),
    Fault.HAND_OFF_FAILED: (
        "a result could not be handed off",
        "Mend the destination, then `orchestrator replay --dead`; `orchestrator dead-letters` lists them.",
    ),
    Fault.OUTPUT_MISSING: (
        "an output of a completed video job cannot be had",
        "Please tell whether the output exists and how to fetch it, and whether the job is billed without.",
    ),
    Fault.DEADLINE: (
        "a video job never ended",
        "Please tell where this job stands, why its end was not told, and whether it is billed.",
    ),
    Fault.CALLER: ("a job was cancelled by its caller", "Nothing is to be done."),
}


def title(fault: Fault) -> str:
    """What happened, in a few words."""
    return _WORDS[fault][0]


def finding(
    job: Job,
    met: Met,
    *,
    at: float,
    of_end: bool = False,
    times: int = 1,
    last_at: float | None = None,
    overcome: str | None = None,
) -> Finding:
    """A fault of a job with the text to paste. Times in epoch seconds."""
    return Finding(
        fault=met.fault,
        at=at,
        evidence=met.evidence,
        of_end=of_end,
        request_id=met.request_id or job.request_id,
        addressee=TOLD[met.fault],
        text_for_support=_text(job, met, _when(at, times, last_at), overcome),
        times=times,
        last_at=last_at,
        overcome=overcome,
    )


def without_request(text: str, request: dict[str, Any]) -> str:
    """The text with nothing in it that the request says in words of its own, nor the query of a URL."""
    written = {form for words in _texts(request) for form in _written(words)}
    for words in sorted(written, key=len, reverse=True):
        text = _without(text, words)
    return _QUERY.sub(r"\1?…", text)


def _text(job: Job, met: Met, when: str, overcome: str | None) -> str:
    what, asked = _WORDS[met.fault]
    seen = _line(without_request(met.evidence, job.request))
    lines = [f"To {_TO[TOLD[met.fault]]}: {what}.", "", f"Seen: {seen}"]
    lines += [f"  {name}: {_line(value)}" for name, value in _facts(job, met, when, overcome) if value]
    return "\n".join([*lines, "", asked])


def _when(at: float, times: int, last_at: float | None) -> str:
    again = f", {times} times until {_moment(last_at)}" if times > 1 and last_at else ""
    return _moment(at) + again


def _facts(job: Job, met: Met, when: str, overcome: str | None) -> Iterator[tuple[str, str | None]]:
    yield "when", when
    yield "since then", overcome
    yield "gateway job", job.gateway_id
    yield "gateway request", met.request_id or job.request_id
    yield "x-session-id", job.session_id
    yield "our job", job.id
    yield "provider", job.provider
    yield "model", job.model or str(job.request.get("model") or "")
    yield "the gateway's last word", job.gateway_status
    yield "state here", job.state
    yield "accepted", _moment(job.accepted_at)
    yield "created", _moment(job.created_at)
    yield "ended here", _moment(job.settled_at)
    prompt = job.request.get("prompt")
    yield "prompt", f"{len(prompt)} characters, not shown" if isinstance(prompt, str) else None


def _texts(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from _texts(inside, str(key))
    elif isinstance(value, list):
        for inside in value:
            yield from _texts(inside, name)
    elif isinstance(value, str) and name not in _PLAIN:
        least = SHORTEST_PROMPT if name in _PROMPTS else SHORTEST
        if len(value.strip()) >= least:
            yield value.strip()


def _written(words: str) -> set[str]:
    """As it is, and as others may repeat it: on one line, or inside of JSON."""
    if len(words) > LONGEST_ECHO:  # a picture, which nobody repeats but as it is
        return {words}
    escaped = (json.dumps(words, ensure_ascii=ascii)[1:-1] for ascii in (True, False))
    return {words, _line(words), *escaped}


def _without(text: str, words: str) -> str:
    """Also where it is cut: what begins as the words do goes as far as it is theirs."""
    if len(words) < SHORTEST:
        return re.sub(rf"(?<!\w){re.escape(words)}(?!\w)", _LEFT_OUT, text)
    begins, at = words[:SHORTEST], 0
    while (found := text.find(begins, at)) >= 0:
        end = found + SHORTEST
        while end < len(text) and end - found < len(words) and text[end] == words[end - found]:
            end += 1
        text = f"{text[:found]}{_LEFT_OUT}{text[end:]}"
        at = found + len(_LEFT_OUT)  # not from within it: the request may say these words too
    return text


def _line(value: str) -> str:
    return " ".join(value.split())


def _moment(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
