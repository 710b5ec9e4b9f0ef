"""Thousands of jobs of one tenant, at its cap, and one job of another: its create is not delayed by them."""

import time
from dataclasses import replace

from sqlalchemy import insert

from orchestrator.core.job import Job
from orchestrator.core.lifecycle import State
from orchestrator.engine.submit import Submission
from orchestrator.store import jobs, schema
from tests.acceptance.conftest import Begin
from tests.acceptance.database import Database, wanted
from tests.acceptance.load import lasting
from tests.acceptance.sandbox import Sandbox

BACKLOG, CAP = 3_000, 2
AT_MOST = 5.0  # seconds; 0.1 on a machine with nothing else to do


def keep_many(database: Database, like: Submission, tenant: str) -> None:
    """So many jobs like this, accepted long ago."""
    (first,) = database.submit(replace(like, tenant_id=tenant))
    with database.store.write() as tx:
        kept = jobs.require(tx, first)
        jobs.add(tx, [_another(kept, number) for number in range(BACKLOG)])


def _another(job: Job, number: int) -> Job:
    again = f"{job.id}_{number}"
    return replace(job, id=again, session_id=f"{again}.0", due_at=job.accepted_at - 3_600 + number / 10)


def test_the_one_job_of_a_tenant_is_made_at_once_beside_thousands_of_another(
    begin: Begin, sandbox: Sandbox
) -> None:
    orchestrator = begin(sandbox, max_open_jobs=CAP, create_threads=2)
    database = orchestrator.database
    with database.store.write() as tx:
        tx.execute(insert(schema.tenants), [{"id": name, "name": name} for name in ("big", "small")])
    (endless,) = lasting(1)
    keep_many(database, endless, "big")
    orchestrator.start()
    orchestrator.told("create_held", tenant="big")

    began = time.monotonic()
    (job,) = database.submit(replace(wanted(duration=0), tenant_id="small"))
    database.wait_for(job, "the gateway has it", lambda one: one.gateway_id)
    took = time.monotonic() - began
    print(f"submit to create beside {BACKLOG} of another tenant: {took:.2f} s")
    assert took < AT_MOST
    database.wait_for(job, "it is completed", lambda one: one.state is State.COMPLETED)
    assert len(sandbox.truth()) == CAP + 1
