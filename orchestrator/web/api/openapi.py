"""The OpenAPI document, made from the routes and models that answer, and what all operations share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from orchestrator.web.problems import MEDIA_TYPE
from orchestrator.wire.problems import Problem

METHODS = ("get", "head", "post", "put", "patch", "delete")

_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ALWAYS = {
    400: "Where the body ends is said in two ways, or in one that not everybody knows.",
    401: "There is no key or token, or not a good one.",
    403: "The key or token may not be used for this.",
    408: "The body did not come in time.",
    413: "The body is too large.",
    414: "The path with its query is too long.",
    422: "Something of what was asked is not as it must be: `errors` says where.",
    429: "There were too many requests: `Retry-After` says when to ask again.",
    431: "There are too many headers, or they are too long.",
    500: "A bug of the orchestrator's.",
    503: "The database cannot be used now, or too much is being sent at once: ask again.",
}
_POSTED = {
    400: "The body is not JSON, or is ambiguous, or its length is unclear.",
    415: "The body is not `application/json` in UTF-8.",
}
_FOR_ONE = {404: "There is none, or it is another tenant's."}
_CHANGING = {409: "It is not in a state where this makes sense."}
_REPEATABLE = {410: "What was made with this Idempotency-Key was purged."}

_TEXT = {"type": "string"}
_HEADERS = {
    "X-Request-Id": {"description": "The id under which the log has this request.", "schema": _TEXT},
    "RateLimit": {"description": "How many requests are left, and until when.", "schema": _TEXT},
    "RateLimit-Policy": {"description": "How many requests there may be.", "schema": _TEXT},
}
_AGAIN_AFTER = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
_CHALLENGE = {"WWW-Authenticate": {"description": "`Bearer`.", "schema": _TEXT}}


def document(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1, the same for the same program."""
    found = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        summary="Video jobs of the Phaseo gateway: submit them, follow them, and get their results.",
        description=_DESCRIPTION,
        routes=app.routes,
    )
    schemas = found["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas |= _problem()
    for path, item in found["paths"].items():
        for method in METHODS:
            if method in item:
                _complete(path, method, item[method])
    return found


def operations(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation of a document, with its path."""
    for path, item in found["paths"].items():
        yield from ((path, item[method]) for method in METHODS if method in item)


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Every error that it may be answered with, and the headers of each answer."""
    errors = dict(_ALWAYS)
    if method == "post":  # a body that nobody asked for is looked at as well
        errors |= _POSTED
    if "requestBody" in operation:
        errors |= _CHANGING
    if "{" in path or path.endswith("/tokens"):
        errors |= _FOR_ONE
    if any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", ())):
        errors |= _REPEATABLE | _CHANGING
    if path.endswith(("/cancel", "/replay")):
        errors |= _CHANGING
    answers = operation["responses"]
    answers |= {str(status): _problem_answer(status, words) for status, words in errors.items()}
    for answer in answers.values():
        if answer["description"] == "Successful Response":
            answer["description"] = "As was asked."
        answer["headers"] = answer.get("headers", {}) | _HEADERS
    operation["responses"] = dict(sorted(answers.items()))


def _problem_answer(status: int, words: str) -> dict[str, Any]:
    headers = _AGAIN_AFTER if status in (429, 503) else _CHALLENGE if status == 401 else {}
    return {"description": words, "content": _PROBLEM, "headers": headers}


@cache
def _problem() -> dict[str, Any]:
    schema: dict[str, Any] = Problem.model_json_schema(
        ref_template="#/components/schemas/{model}", mode="serialization"
    )
    inner: dict[str, Any] = schema.pop("$defs")
    return inner | {"Problem": schema}


_DESCRIPTION = """\
Errors are problem details by RFC 9457, with a stable `code` for programs and a `hint` for people.

An API key is sent as `Authorization: Bearer hjo_…`; it has scopes, and what each operation needs stands \
beside it. A come-back token, `?token=hjt_…`, is for browsers: it lets somebody read one job, or those of \
one end user. What belongs to another tenant is answered like what does not exist.
"""
