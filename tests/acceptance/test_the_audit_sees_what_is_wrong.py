"""The comparison that ends a soak: each thing that must not be is staged, and is found."""

import os
from pathlib import Path

import httpx
from sqlalchemy import delete, update

from orchestrator.core.job import Job
from orchestrator.core.lifecycle import State
from orchestrator.store import schema
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.sandbox import API_KEY, Sandbox
from tests.acceptance.waiting import LONG
from tests.soak.audit import FileWatch, audit
from tests.soak.cases import Case


def test_a_job_gone_a_file_gone_torn_doubled_or_left_over(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    jobs = orchestrator.database.submit(*(wanted(duration=0.1) for _ in range(5)))
    orchestrator.database.wait(jobs)
    orchestrator.stop()
    watch = FileWatch()

    def found(case: Case) -> dict[str, int]:
        watch.look(orchestrator.files())
        forbidden = audit(orchestrator, sandbox, dict.fromkeys(jobs, case), watch).forbidden
        return {name: len(some) for name, some in forbidden.items() if some}

    assert found(Case("plain")) == {}
    assert found(Case("another end", end=State.FAILED)) == {"ended wrongly": 5}

    _stage(orchestrator, sandbox, jobs)
    assert found(Case("plain")) == {
        "lost": 2,  # the one that is owed again, and the one without its row
        "created twice": 1,
        "handed off twice": 1,
        "missing": 1,
        "torn": 2,  # the missing one is not whole either
        "left lying about": 2,  # the file of the one that is owed again, and the part
    }


def _stage(orchestrator: Orchestrator, sandbox: Sandbox, jobs: list[str]) -> None:
    owed_again, without_row, missing, torn, written_again = jobs
    files = {job: Path(str(orchestrator.database.owed(job)[0].location)) for job in jobs}
    with orchestrator.database.store.write() as tx:
        hand_off = schema.hand_offs.c.job_id == owed_again
        tx.execute(update(schema.hand_offs).where(hand_off).values(state="owed"))
        for table in (schema.hand_offs, schema.outputs, schema.observations, schema.inbox):
            tx.execute(delete(table).where(table.c.job_id == without_row))
        tx.execute(delete(schema.jobs).where(schema.jobs.c.id == without_row))
    files[without_row].unlink()
    files[missing].unlink()
    written_at = files[torn].stat().st_mtime_ns
    os.truncate(files[torn], 100)
    os.utime(files[torn], ns=(written_at, written_at))
    files[written_again].write_bytes(files[written_again].read_bytes())
    _create_again(sandbox, orchestrator.database.job(written_again))
    files[written_again].with_name(f".{written_again}.part").touch()


def _create_again(sandbox: Sandbox, job: Job) -> None:
    headers = {"Authorization": f"Bearer {API_KEY}", "x-session-id": f"{job.id}.2"}
    with httpx.Client(headers=headers, trust_env=False, timeout=LONG, verify=False) as client:
        client.post(f"{sandbox.url}/videos", json=job.request).raise_for_status()
