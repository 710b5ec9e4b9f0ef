"""What obstore raises, in words: what happened, and what a person does about it.

Its own texts have URLs in them, with signatures and tokens in the query, and whatever the server answered.
So nothing of them is repeated but a status and an error code, and they are not kept as the cause.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from orchestrator.errors import DestinationError

T = TypeVar("T")

FOREIGN = (BaseError, OSError, ValueError)
STATUS = re.compile(r"non-2xx status code: ([1-5][0-9]{2})\b")
CODE = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")


class Words(NamedTuple):
    """Why, and what to do."""

    why: str
    hint: str


NO_BUCKET = Words("there is no such bucket", "create it, or correct `url`; a container is Azure's bucket")
REFUSED = Words(
    "the credentials are refused",
    "set the key and its secret again, and check that they belong to this store and are still valid",
)
NO_RIGHT = Words(
    "permission denied",
    "give the key the rights to read, write, delete and list objects there (S3: GetObject, PutObject, "
    "DeleteObject, AbortMultipartUpload, ListBucket), and look whether it is the right key",
)
NO_CREDENTIALS = Words(
    "no credentials were found, or they could not be fetched",
    "set them for this destination, or give the machine a role that may write there",
)
ELSEWHERE = Words("the bucket is in another region, or at another address", "set `region`, or `endpoint`")
BUSY = Words("the store asks to be called less often", "it is tried again later")
NO_SPACE = Words("the store has no space left", "free some space there, or raise the quota")
NO_ANSWER = Words("no answer came in time", "the store hangs, or the network is too slow; it is tried again")
NO_NAME = Words(
    "the name of its host cannot be resolved", "correct `endpoint` or `region`, and look at the DNS"
)
NO_TRUST = Words(
    "its TLS certificate is not trusted",
    "use the name the certificate is for, and a certificate of a known CA",
)
UNREACHABLE = Words("the store cannot be reached", "look whether it runs there, and at the network between")
SILENT = Words(
    "the store cannot be reached, or gave no answer", "look whether it runs there, and at the network between"
)
ODD = Words(
    "the store did not answer as such a store does", "look whether `endpoint` leads to the right place"
)
GONE = Words("the object, or the upload of it, was removed meanwhile", "it is tried again")
CHANGED = Words("the object was replaced while it was read", "it is tried again")

BY_CODE = {
    "NoSuchBucket": NO_BUCKET,
    "ContainerNotFound": NO_BUCKET,
    "ContainerBeingDeleted": NO_BUCKET,
    "NoSuchKey": GONE,
    "NoSuchUpload": GONE,
    "BlobNotFound": GONE,
    "InvalidAccessKeyId": REFUSED,
    "SignatureDoesNotMatch": REFUSED,
    "ExpiredToken": REFUSED,
    "InvalidToken": REFUSED,
    "AuthenticationFailed": REFUSED,
    "AuthorizationFailure": REFUSED,
    "InvalidAuthenticationInfo": REFUSED,
    "AccessDenied": NO_RIGHT,
    "PermanentRedirect": ELSEWHERE,
    "TemporaryRedirect": ELSEWHERE,
    "AuthorizationHeaderMalformed": ELSEWHERE,
    "IllegalLocationConstraintException": ELSEWHERE,
    "SlowDown": BUSY,
    "ServerBusy": BUSY,
    "QuotaExceeded": NO_SPACE,
}
BY_STATUS = {401: REFUSED, 403: NO_RIGHT, 404: NO_BUCKET, 412: CHANGED, 429: BUSY, 503: BUSY, 507: NO_SPACE}
# In this order: the later ones are also said where the earlier ones hold. The words are obstore 0.12's.
BY_TEXT = (
    (re.compile(r"token request|TokenRequest|[Cc]redential|instance metadata"), NO_CREDENTIALS),
    (re.compile(r"TimedOut|timed out|Timeout"), NO_ANSWER),
    (re.compile(r"dns error"), NO_NAME),
    (re.compile(r"[Cc]ertificate"), NO_TRUST),
    (re.compile(r"kind: Connect|kind: Request"), UNREACHABLE),
    (re.compile(r"error sending request"), SILENT),  # what a writer says, without its reasons
)


def ask(doing: str, where: str, call: Callable[[], T]) -> T:
    """What the call returns. Raises DestinationError in place of what obstore raises."""
    try:
        return call()
    except FOREIGN as error:
        failure = destination_error(error, doing, where)
    raise failure  # out here, so that the foreign error is not even its context


def destination_error(error: Exception, doing: str, where: str) -> DestinationError:
    """The same error, for a person: `cannot <doing> <where>: <why>`; worth trying again, all of them."""
    text = str(error)
    status, code = STATUS.search(text), CODE.search(text)
    number = int(status[1]) if status else None
    why, hint = _words(error, text, number, code[1] if code else "")
    answer = f" ({f'HTTP {number}' + (f', {code[1]}' if code else '')})" if number else ""
    return DestinationError(f"cannot {doing} {where}: {why}{answer}", hint=hint, status=number)


def _words(error: Exception, text: str, status: int | None, code: str) -> Words:
    if code in BY_CODE:
        return BY_CODE[code]
    if "token request" in text:
        return NO_CREDENTIALS
    if status in BY_STATUS:
        return BY_STATUS[status]
    if isinstance(error, UnauthenticatedError):
        return REFUSED
    if isinstance(error, PermissionDeniedError):
        return NO_RIGHT
    if status is not None:
        return ELSEWHERE if 300 <= status < 400 else ODD
    return next((words for pattern, words in BY_TEXT if pattern.search(text)), ODD)
