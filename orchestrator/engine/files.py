"""Which outputs a caller may read."""

from __future__ import annotations

from orchestrator.core.access import Caller
from orchestrator.core.job import Output
from orchestrator.engine.context import Context
from orchestrator.engine.reading import visible
from orchestrator.errors import NotFound
from orchestrator.store import outputs


def readable(context: Context, caller: Caller, job_id: str, index: int) -> Output:
    """One output of a job that the caller may know of. Raises NotFound."""
    with context.store.read() as tx:
        visible(tx, caller, job_id)
        found = outputs.get(tx, job_id, index)
    if found is None:
        raise NotFound(f"the job {job_id} has no output {index}", hint="the job itself says which it has")
    return found
