"""Results as signed calls, by the Standard Webhooks specification: what happened, and where the files are.

A call has the same `webhook-id` and the same body each time it is repeated, so that the receiver can make it
once in effect. Nobody can ask a receiver what it has: `find` knows nothing, and an attempt whose answer was
lost is made again.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, ClassVar, NoReturn, Self

import httpx
from standardwebhooks import Webhook

from orchestrator.errors import LATER, NEVER, DestinationError, DestinationGone, Retry, Stopping
from orchestrator.sinks.base import Delivered, Parcel, Tools
from orchestrator.sinks.calls import Answer, post, preview, retry_after
from orchestrator.sinks.names import require_safe
from orchestrator.sinks.network import guarded_client, without_query
from orchestrator.sinks.webhook_options import WebhookOptions

DOCUMENT_LIMIT = 256 * 1024  # bytes
PROBE = "orchestrator.probe"

_HINTS = {
    401: "the receiver refuses the signature or a header: compare the secrets on both sides, and its clock",
    403: "the receiver refuses the signature or a header: compare the secrets on both sides, and its clock",
    404: "look whether `url` is right",
    405: "look whether `url` is right, and takes POST",
    413: "let the receiver take bodies of 300 KiB",
    429: "the receiver has too much to do; it is called again",
}


class WebhookSink:
    """A receiver of signed calls."""

    takes_files: ClassVar[bool] = False
    Options = WebhookOptions

    @classmethod
    def build(cls, options: WebhookOptions, tools: Tools) -> Self:
        """The receiver that the options name."""
        return cls(options, tools, guarded_client(options.allow))

    def __init__(self, options: WebhookOptions, tools: Tools, client: httpx.AsyncClient) -> None:
        self._url = options.checked_url()
        self._where = without_query(self._url)
        self._seconds = options.timeout_seconds
        self._signers = [Webhook(secret.get_secret_value()) for secret in options.secrets]
        self._headers = {name: value.get_secret_value() for name, value in options.headers.items()}
        self._hidden = options.hidden()
        self._tools = tools
        self._client = client

    def find(self, parcel: Parcel) -> Delivered | None:
        """None: nobody can ask a receiver."""
        require_safe(parcel.name, f"a call to {self._where}")
        return None

    def stage(self, parcel: Parcel, attempt: int) -> WebhookStaging:
        """Begin a call; its document has to be a JSON object."""
        require_safe(parcel.name, f"a call to {self._where}")
        return WebhookStaging(self, parcel)

    def check(self) -> None:
        """Make a signed call of type `orchestrator.probe`, which has to be answered with a 2xx."""
        now = self._tools.wall_clock()
        probe = Parcel(f"probe-{int(now)}", event=PROBE, at=now)
        self.call(probe.name, opening(probe) + b"{}}")

    def close(self) -> None:
        """Close the client, unless its event loop has ended already."""
        with suppress(Stopping):
            self._tools.run(self._client.aclose())

    def call(self, name: str, body: bytes, traceparent: str | None = None) -> Delivered:
        """Make one call. Raises DestinationError for every answer that is no 2xx."""
        now = self._tools.wall_clock()
        signatures = self._sign(name, body, now)
        traced = {"traceparent": traceparent} if traceparent else {}
        headers = (
            traced
            | self._headers
            | {
                "content-type": "application/json",
                "webhook-id": name,
                "webhook-timestamp": str(int(now)),
                "webhook-signature": " ".join(signatures),
            }
        )
        answer = self._tools.run(post(self._client, self._url, body, headers, self._seconds))
        if not 200 <= answer.status <= 299:
            self._refused(name, answer, now, signatures)
        return Delivered(self._where, len(body), hashlib.sha256(body).hexdigest(), answer.status)

    def _sign(self, name: str, body: bytes, now: float) -> list[str]:
        """By each live secret: receivers that know only the old or only the new one are served alike."""
        moment, text = datetime.fromtimestamp(int(now), UTC), body.decode()
        return [signer.sign(name, moment, text) for signer in self._signers]

    def _refused(self, name: str, answer: Answer, now: float, signatures: list[str]) -> NoReturn:
        """Also a 4xx is worth another try: what a receiver refuses today, it takes once it is mended."""
        shown = preview(answer, self._hidden | {part for one in signatures for part in (one, one[3:])})
        said = f"{self._where} answered {answer.status}"
        if answer.status == 410:
            raise DestinationGone(
                f"{said}: it wants nothing more",
                hint="remove the destination, or enable it again once the receiver is back",
                status=410,
                preview=shown,
            )
        if 300 <= answer.status <= 399:
            said += ": redirects are not followed"
        pause = retry_after(answer, now)
        raise DestinationError(
            said,
            hint=_hint(name, answer.status),
            retry=Retry(again=True, after=pause) if pause else LATER,
            status=answer.status,
            preview=shown,
        )


class WebhookStaging:
    """One attempt at one call. It is over when it was made, whatever came of it."""

    def __init__(self, sink: WebhookSink, parcel: Parcel) -> None:
        self._sink = sink
        self._name = parcel.name
        self._traceparent = parcel.traceparent
        self._opening = opening(parcel)
        self._document = bytearray()
        self._sha256 = hashlib.sha256(self._opening)
        self._open = True
        self._delivered: Delivered | None = None

    def write(self, chunk: bytes) -> None:
        """Add bytes of the document."""
        self._require_open()
        if len(self._document) + len(chunk) > DOCUMENT_LIMIT:
            self.discard()
            raise self._unfit(f"its document is larger than {DOCUMENT_LIMIT // 1024} KiB")
        self._document += chunk
        self._sha256.update(chunk)

    def sha256(self) -> str:
        """The hash of the body that would be sent now: the document, and what is laid around it."""
        whole = self._sha256.copy()
        whole.update(b"}")
        return whole.hexdigest()

    def publish(self) -> Delivered:
        """Make the call."""
        if self._delivered is None:
            self._require_open()
            document = bytes(self._document)
            self.discard()
            if not _is_json_object(document):
                raise self._unfit("its document is not a JSON object")
            self._delivered = self._sink.call(self._name, self._opening + document + b"}", self._traceparent)
        return self._delivered

    def discard(self) -> None:
        """Forget the document."""
        self._open = False
        self._document.clear()

    def _require_open(self) -> None:
        if not self._open:
            raise DestinationError(f"cannot call with {self._name}: this attempt is over", hint="begin anew")

    def _unfit(self, why: str) -> DestinationError:
        return DestinationError(f"cannot call with {self._name}: {why}", hint="report it", retry=NEVER)


def opening(parcel: Parcel) -> bytes:
    """What stands before the document in the body: nothing that another attempt would change."""
    moment = datetime.fromtimestamp(parcel.at, UTC).isoformat(timespec="milliseconds")
    head = json.dumps({"type": parcel.event, "timestamp": moment.replace("+00:00", "Z")}, ensure_ascii=False)
    return f'{head[:-1]}, "data": '.encode()


def _is_json_object(document: bytes) -> bool:
    def refuse(_: str) -> NoReturn:
        raise ValueError

    try:
        # NaN and its like are no JSON. Decoded here: the reader would take UTF-16 too.
        found: Any = json.loads(document.decode(), parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict)


def _hint(name: str, status: int) -> str:
    if 300 <= status <= 399:
        return "set `url` to where the receiver is now"
    if status >= 500:
        return f"look into the receiver's log for webhook-id {name}; it is called again"
    return _HINTS.get(status, f"see what the receiver has against webhook-id {name}; it is called again")
