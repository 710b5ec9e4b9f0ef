"""Every shape in which the gateway says no, read by one function (gateway contract 1.1, 1.2, 5).

A, create:           error, description, generation_id, details[]
B, other routes:     error, reason, request_id, message?, upstream_*
C, control routes:   error {type, message, details}; also nested by older generations
plain text:          `Internal Server Error`, an uncaught fault
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from orchestrator.core.job import Failure
from orchestrator.errors import LATER, BadAnswer, Retry
from orchestrator.gateway import reading, vocabulary

_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?\Z", re.ASCII)
_TEXT_SHOWN = 200

# What to do, by HTTP status; anything else has no better hint than its own words.
_HINTS = {
    401: "check the API key; `db_error` is the gateway's own fault and passes",
    402: "add credit to the gateway workspace",
    403: "check what the workspace allows",
    404: "check the gateway URL, and that the job belongs to this account's workspace",
    429: "raise the limit of the API key, or wait",
    501: "the video API is off for this workspace; the gateway's own check of that can fail for a moment",
}
_REDIRECT_HINT = "check the gateway URL: redirects are not followed"
_FAULT_HINT = "a fault of the gateway's own, or of what stands before it: ask again later"


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """What an answer that is not a result says, whatever its shape."""

    status: int
    code: str | None = None
    reason: str | None = None
    message: str = ""
    request_id: str | None = None
    retry_after: float | None = None
    plain_text: bool = False
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """One line for people and logs."""
        words = ", ".join(part for part in (self.code, self.reason) if part)
        named = f"HTTP {self.status}" + (f" ({words})" if words else "")
        tail = f": {self.message}" if self.message and self.message not in words else ""
        asked = f" [request {self.request_id}]" if self.request_id else ""
        return named + tail + asked

    @property
    def hint(self) -> str:
        """What a person can do about it."""
        if 300 <= self.status < 400:
            return _REDIRECT_HINT
        return _HINTS.get(self.status, _FAULT_HINT if self.status >= 500 else "")

    @property
    def retry(self) -> Retry:
        """Asking again may help, not before the gateway's `Retry-After`."""
        return LATER if self.retry_after is None else Retry(again=True, after=self.retry_after)

    @property
    def failure(self) -> Failure:
        """The refusal in the gateway's words, its whole body as detail."""
        detail = vocabulary.bounded(dict(self.body)) if self.body else None
        return Failure(self.message or self.sentence, self.code, detail)

    def as_error(self) -> BadAnswer:
        """The error to raise. An uncaught fault, in plain text, counts against the whole gateway."""
        error = BadAnswer(
            f"the gateway answered {self.sentence}",
            hint=self.hint,
            retry=self.retry,
            status=self.status,
            code=self.code,
            reason=self.reason,
            request_id=self.request_id,
        )
        error.whole_gateway = self.status == 500 and self.plain_text
        return error


def explain(status: int, headers: Mapping[str, str], body: bytes) -> ErrorAnswer:
    """Read an answer of any shape. Raises nothing, whatever the bytes are. Header names are lower case."""
    after = retry_after(headers)
    try:
        decoded = reading.decode(body)
    except reading.Unreadable:
        decoded = None
    if not isinstance(decoded, dict):
        text = reading.kept(body[: 4 * _TEXT_SHOWN].decode(errors="replace")).strip()[:_TEXT_SHOWN]
        plain = headers.get("content-type", "").lower().startswith("text/plain")
        return ErrorAnswer(status, message=text, retry_after=after, plain_text=plain)
    return _explain_object(status, decoded, after)


def _explain_object(status: int, body: Mapping[str, Any], after: float | None) -> ErrorAnswer:
    nested = reading.mapping(body.get("error"))
    details = reading.mapping(nested.get("details"))
    return ErrorAnswer(
        status=status,
        code=reading.word(body.get("error")) or reading.first_word(nested, "type", "code"),
        reason=reading.word(body.get("reason"))
        or reading.word(nested.get("reason"))
        or reading.word(details.get("reason")),
        message=_message(body, nested),
        request_id=reading.first_word(
            body, "request_id", "generation_id", "requestId", limit=reading.REQUEST_ID
        ),
        retry_after=after,
        body=body,
    )


def _message(body: Mapping[str, Any], nested: Mapping[str, Any]) -> str:
    upstream = vocabulary.failure(body.get("upstream_error"))
    places = (body.get("description"), body.get("message"), nested.get("message"))
    said = next((text for place in places if (text := vocabulary.sentence(place))), None)
    return said or (upstream.message if upstream else "")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds. A date counts from the answer's own `Date`: no clock is read here."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if _SECONDS.match(value):
        return float(value)
    until, since = date(value), date(headers.get("date", ""))
    return max((until - since).total_seconds(), 0.0) if until and since else None


def date(value: str) -> datetime | None:
    """A moment as HTTP headers write it."""
    try:
        found = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return found if found.tzinfo else None
