"""Which outputs a caller may read."""

from __future__ import annotations

from orchestrator.core.access import Caller
from orchestrator.core.job import Output
from orchestrator.engine.context import Context
from orchestrator.engine.reading import visible
from orchestrator.errors import NotFound
from orchestrator.store import job_lists, outputs
from orchestrator.store.database import Transaction

MOST = 999_999  # no job has an output of a higher number


def readable(context: Context, caller: Caller, job_id: str, index: int) -> Output:
    """One output of a job that the caller may know of. Raises NotFound."""
    with context.store.read() as tx:
        visible(tx, caller, job_id)
        return _found(tx, job_id, index)


def output_of(context: Context, tenant_id: str | None, job_id: str, index: int) -> Output:
    """One output of a job of the tenant's, or of any. Raises NotFound, for another's as for none."""
    with context.store.read() as tx:
        whose = job_lists.tenant_of(tx, job_id)
        if tenant_id not in (None, whose):
            raise job_lists.unknown(job_id)
        return _found(tx, job_id, index)


def _found(tx: Transaction, job_id: str, index: int) -> Output:
    found = outputs.get(tx, job_id, index) if index <= MOST else None
    if found is None:
        raise NotFound(f"the job {job_id} has no output {index}", hint="the job itself says which it has")
    return found
