"""Errors as RFC 9457 problem details."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from orchestrator.wire.base import Answered


class FieldProblem(Answered):
    """What is wrong with one place of a request."""

    at: str = Field(description="Where: `body.jobs.3.request`, `query.limit`.")
    detail: str


class Problem(Answered):
    """What happened (`detail`), what to do (`hint`), and a stable `code` for programs."""

    type: Literal["about:blank"] = "about:blank"
    status: int = Field(ge=400, le=599)
    code: str
    detail: str
    hint: str | None = None
    request_id: str | None = None
    errors: tuple[FieldProblem, ...] | None = None
