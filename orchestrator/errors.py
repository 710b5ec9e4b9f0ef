"""Every error a person or another layer may see; one small tree.

OrchestratorError              message, hint (what to do), retry
├── SettingError               a setting is missing, unknown or wrong: nothing was started
├── RequestError               what was asked cannot be done
│   ├── NotFound               no such job, hand-off or inbox entry
│   ├── NotAllowed             it exists, but not in a state where this makes sense
│   ├── Misshapen              some places of it, each named, are not as they must be
│   ├── KeyReused              its Idempotency-Key was used for something else
│   ├── Gone                   what it made earlier is not kept any more
│   ├── Unauthorized           nobody knows who asks: no key or token, or not a good one
│   ├── Forbidden              it is known who asks, and they may not
│   └── RateLimited            their tenant asks too often
├── StoreError                 the database cannot be used (locked by another, newer, unreachable)
│   └── RowRefused             it can be used, and will never take this row as it is
├── GatewayError               the gateway did not answer a question; says nothing about the job
│   ├── Unreachable            surely not sent: the connection was never made
│   ├── AccountUnusable        not even asked: the account has no key, or none that can be read
│   ├── BadAnswer              sent, and answered with something other than an answer
│   └── NoAnswer               sent, and cut or timed out: what it did is unknown
├── ContentError               an output could not be fetched whole
│   ├── ContentMissing         the gateway says that there is nothing to fetch
│   ├── ContentDuplicate       a further output that is byte for byte an earlier one
│   └── ContentDamaged         the archive has something else than what was put there, or nothing
├── DestinationError           a destination could not take what is owed to it
│   └── DestinationGone        it wants nothing any more: it is disabled until a person enables it
├── ApiError                   an orchestrator that was asked over HTTP did not do it
│   ├── ApiUnreachable         no answer came, or not a whole one
│   └── ApiBadAnswer           what answered is not its API, or of a version that does not fit
├── Stopping                   this process is stopping: another one goes on with the work
└── LeaseLost                  somebody else has the work by now: stop, and leave it to them

Foreign exceptions are translated into these once, at the adapter that meets them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retry:
    """Whether asking again can help, and how long to wait at least, in seconds."""

    again: bool
    after: float = 0.0


NEVER = Retry(again=False)
LATER = Retry(again=True)


class OrchestratorError(Exception):
    """What happened (`message`), what to do (`hint`) and whether to try again (`retry`)."""

    default_hint = ""
    default_retry = NEVER

    def __init__(self, message: str, *, hint: str = "", retry: Retry | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint
        self.retry = self.default_retry if retry is None else retry


class SettingError(OrchestratorError):
    """A setting is missing, unknown or wrong."""

    default_hint = "`orchestrator check --settings` lists every setting"


class RequestError(OrchestratorError):
    """What was asked cannot be done."""


class NotFound(RequestError):
    """No such job, hand-off or inbox entry."""


class NotAllowed(RequestError):
    """The thing exists, but not in a state where this makes sense."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is wrong with one place of what was asked: `jobs.3.request.sample_count`."""

    at: str
    detail: str


class Misshapen(RequestError):
    """Some parts of the request are wrong; each is named."""

    def __init__(self, places: Sequence[Place], *, hint: str = "") -> None:
        first, more = places[0], len(places) - 1
        others = f", and {more} more" if more else ""
        super().__init__(f"{first.at}: {first.detail}{others}", hint=hint)
        self.places = tuple(places)


class KeyReused(RequestError):
    """The Idempotency-Key was used for something else."""

    default_hint = "send the same request again, or use another key for a different one"


class Gone(RequestError):
    """What an Idempotency-Key made earlier was purged."""


class Unauthorized(RequestError):
    """There was no key or token, or not a valid one."""

    default_hint = "send `Authorization: Bearer hjo_…`; `orchestrator keys make` makes a key"


class Forbidden(RequestError):
    """The key or token is valid, but not allowed to do this."""


class RateLimited(RequestError):
    """The tenant sends too many requests, or has too many streams open."""


class StoreError(OrchestratorError):
    """The database cannot be used."""

    default_retry = LATER


class RowRefused(StoreError):
    """The database works, but will never accept this row."""

    default_retry = NEVER


class GatewayError(OrchestratorError):
    """The gateway did not answer. This says nothing about the job.

    `status` is the HTTP status if there was one, `request_id` the gateway's own id of the failed
    request, `whole_gateway` whether this counts against the gateway and not just one provider.
    """

    default_retry = LATER
    whole_gateway = False

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        retry: Retry | None = None,
        status: int | None = None,
        code: str | None = None,
        reason: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, retry=retry)
        self.status = status
        self.code = code
        self.reason = reason
        self.request_id = request_id


class Unreachable(GatewayError):
    """Surely not sent: the connection was never made."""

    default_hint = "check the gateway URL and the network"
    whole_gateway = True


class AccountUnusable(GatewayError):
    """Not even asked: the account has no key, or none that can be read, or was removed."""

    default_hint = "`orchestrator accounts list` says what is wrong with it"
    default_retry = Retry(again=True, after=20.0)


class BadAnswer(GatewayError):
    """Sent, and answered with an error or with something that is no answer."""

    default_hint = "see whether the gateway URL is right, and what stands between here and the gateway"


class NoAnswer(GatewayError):
    """Sent, and cut off or timed out: what the gateway did with it is unknown."""

    default_hint = "see whether the gateway URL is right and the network lets answers through, and ask again"


class ContentError(OrchestratorError):
    """An output could not be fetched whole."""

    default_retry = LATER


class ContentMissing(ContentError):
    """The gateway says that there is nothing to fetch."""


class ContentDuplicate(ContentError):
    """A further output that is byte for byte an earlier one: it does not exist."""

    default_retry = NEVER


class ContentDamaged(ContentError):
    """The archive has something else than what was put there, or nothing: it is fetched anew."""


class ApiError(OrchestratorError):
    """An orchestrator that was asked over HTTP did not do it.

    `status` is that of its answer, `code` its stable word for programs, `request_id` what its log names it.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        retry: Retry | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, retry=retry)
        self.status = status
        self.code = code
        self.request_id = request_id


class ApiUnreachable(ApiError):
    """No answer came, or not a whole one."""

    default_hint = "check the URL and the network, and that `orchestrator up` or `web` runs there"
    default_retry = LATER


class ApiBadAnswer(ApiError):
    """What answered is not the API, or of a version that does not fit."""


class LeaseLost(OrchestratorError):
    """Somebody else has the work by now: stop, and leave it to them."""


class Stopping(OrchestratorError):
    """This process is stopping: says nothing about the work, which another process goes on with."""

    default_hint = "what was under way is taken up again"


class DestinationError(OrchestratorError):
    """A destination could not take what is owed to it.

    `status` is that of its answer, where it speaks HTTP, and `preview` the beginning of that answer, safe to
    print: no control characters, nothing that we sent.
    """

    default_retry = LATER

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        retry: Retry | None = None,
        status: int | None = None,
        preview: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, retry=retry)
        self.status = status
        self.preview = preview


class DestinationGone(DestinationError):
    """The destination said that it wants nothing any more, as a webhook does by 410."""
