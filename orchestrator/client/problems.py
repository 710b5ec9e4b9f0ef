"""Answers that are errors: problem details (RFC 9457) as exceptions, by their stable code."""

from __future__ import annotations

import math

import httpx
from pydantic import ValidationError

from orchestrator import errors
from orchestrator.errors import ApiBadAnswer, ApiError, Retry
from orchestrator.wire.problems import Problem

PASSING = frozenset({429, 502, 503, 504})  # statuses after which the same request may well be answered


class NotFound(ApiError, errors.NotFound):
    """There is no such thing, or it is another tenant's."""


class NotAllowed(ApiError, errors.NotAllowed):
    """It exists, but not in a state where this makes sense."""


class InvalidRequest(ApiError, errors.RequestError):
    """The request is wrong, and says where in `message`."""


class Unauthorized(ApiError, errors.Unauthorized):
    """The key is unknown, revoked or expired."""


class Forbidden(ApiError, errors.Forbidden):
    """The key's scopes do not include this."""


class RateLimited(ApiError):
    """Too many requests of this tenant; `retry.after` says when the next one is taken."""


class Unavailable(ApiError, errors.StoreError):
    """The orchestrator cannot use its database now."""


_BY_CODE: dict[str, type[ApiError]] = {
    "not_found": NotFound,
    "not_allowed": NotAllowed,
    "invalid_request": InvalidRequest,
    "idempotency_key_reused": InvalidRequest,
    "unauthorized": Unauthorized,
    "forbidden": Forbidden,
    "rate_limited": RateLimited,
    "store_unavailable": Unavailable,
}
_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: NotAllowed,
    413: InvalidRequest,
    422: InvalidRequest,
    429: RateLimited,
}
_NO_SUCH_PATH = frozenset({"no_such_path", "method_not_allowed"})


def error_of(response: httpx.Response) -> ApiError:
    """The error that an answer with status 300 and above stands for; its body was read."""
    status, where = response.status_code, _where(response)
    if status < 400:
        return ApiBadAnswer(
            f"{where} answered with a redirect ({status})",
            hint="give the URL that it redirects to, if you trust it with the key",
            status=status,
        )
    problem = _problem(response)
    if problem is None:
        return _no_problem(response)
    if problem.code in _NO_SUCH_PATH:
        return ApiBadAnswer(
            f"{where} does not know this request: {problem.detail}",
            hint="the server is older than this client, or the URL has a path too many: "
            "it is what stands before /v1",
            status=status,
            code=problem.code,
            request_id=problem.request_id,
        )
    kind = _BY_CODE.get(problem.code) or _BY_STATUS.get(status) or ApiError
    return kind(
        _message(problem),
        hint=problem.hint or "",
        retry=_retry(response),
        status=status,
        code=problem.code,
        request_id=problem.request_id,
    )


def is_passing(error: ApiError) -> bool:
    """Whether the same request may be answered if it is sent again."""
    return isinstance(error, errors.ApiUnreachable) or error.status in PASSING


def _problem(response: httpx.Response) -> Problem | None:
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:
        return None


def _no_problem(response: httpx.Response) -> ApiBadAnswer:
    """A proxy, or some other server: it does not speak as the API does."""
    status = response.status_code
    kind = response.headers.get("content-type", "no type").partition(";")[0]
    passing = status in PASSING
    return ApiBadAnswer(
        f"{_where(response)} answered with {status} and {kind}, which is not how the API answers",
        hint="a proxy in front of it cannot reach it: try again later"
        if passing
        else "check the URL: it is what stands before /v1",
        retry=_retry(response),
        status=status,
    )


def _message(problem: Problem) -> str:
    places = "; ".join(f"{one.at}: {one.detail}" for one in problem.errors or ())
    return f"{problem.detail}: {places}" if places else problem.detail


def _retry(response: httpx.Response) -> Retry:
    if response.status_code not in PASSING:
        return errors.NEVER
    try:
        after = float(response.headers.get("retry-after", "0"))
    except ValueError:  # a date: our API never gives one, and the backoff does for a proxy's
        after = 0.0
    return Retry(again=True, after=after if math.isfinite(after) and after > 0 else 0.0)


def _where(response: httpx.Response) -> str:
    """The server, without path and query."""
    url = response.request.url
    return f"{url.scheme}://{url.netloc.decode()}"
