"""Outputs over the API: by an API key, or by a come-back token, which goes into the `src` of a `<video>`."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response

from orchestrator.core.access import Caller, Scope
from orchestrator.engine.files import readable
from orchestrator.web.api.authentication import requires
from orchestrator.web.api.door import DoorDep
from orchestrator.web.api.routing import api_router
from orchestrator.web.outputs import FOR_PAGES, Reader
from orchestrator.web.problems import MEDIA_TYPE
from orchestrator.wire.problems import Problem

router = api_router()
Visitor = Annotated[Caller, requires(Scope.READ, tokens=True)]
Index = Annotated[int, Path(ge=0, le=999_999, description="Which of the job's outputs, from 0.")]
Download = Annotated[bool, Query(description="Make a browser save it instead of showing it.")]

_PATH = "/jobs/{job_id}/outputs/{index}"
_FOR_OTHERS = {"Cross-Origin-Resource-Policy": "same-origin"}


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


_ANYTHING = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The whole output. Its ETag never changes.", "content": _ANYTHING},
    206: {"description": "The range that was asked for.", "content": _ANYTHING},
    304: {"description": "What was asked for is known already."},
    410: _problem("There never was such an output, or it was purged."),
    416: _problem("The range begins beyond the end."),
    502: _problem("What is kept is damaged."),
}


@router.get(_PATH, operation_id="read_output", response_class=Response, responses=_ANSWERS)
async def read_output(
    request: Request, door: DoorDep, caller: Visitor, job_id: str, index: Index, download: Download = False
) -> Response:
    """One file of a job, from the archive, whole or in ranges (`Range`, `If-Range`, `If-None-Match`)."""
    find = partial(readable, door.context, caller, job_id, index)
    headers = FOR_PAGES if caller.by_token else _FOR_OTHERS
    return await _reader(request, door).answer(request, job_id, find, headers, download=download)


@router.head(_PATH, operation_id="describe_output", response_class=Response, responses=_ANSWERS)
async def describe_output(
    request: Request, door: DoorDep, caller: Visitor, job_id: str, index: Index, download: Download = False
) -> Response:
    """Size, type and hash of one file of a job, without the file."""
    return await read_output(request, door, caller, job_id, index, download)


def _reader(request: Request, door: DoorDep) -> Reader:
    """One for each application: so many pieces are read at once, whoever asks."""
    state = request.app.state
    if not hasattr(state, "output_reader"):
        state.output_reader = Reader(door.context.archive)
    reader: Reader = state.output_reader
    return reader
