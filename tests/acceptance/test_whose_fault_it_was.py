"""Much goes wrong on the way of jobs that end well: each fault is found with its job, drift harms nothing."""

import json
import subprocess

from orchestrator.core.blame import Fault
from orchestrator.core.drift import DriftKind
from orchestrator.core.lifecycle import State
from orchestrator.engine import blaming
from orchestrator.store import drift
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.processes import clean_environment, program
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import LONG, until


def faults(orchestrator: Orchestrator, job_id: str) -> list[Fault]:
    with orchestrator.database.store.read() as tx:
        return [one.fault for one in blaming.of_job(tx, orchestrator.database.job(job_id))]


def said(orchestrator: Orchestrator, *command: str) -> str:
    """What a command says, as a process of its own."""
    environment = clean_environment(**orchestrator.settings)
    done = subprocess.run(
        program(*command), env=environment, capture_output=True, text=True, timeout=LONG, check=True
    )
    return done.stdout


def test_each_fault_is_found_with_its_job_and_none_stops_it(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    (strange,) = database.submit(wanted(outcome="never", status_word="rendering", retry_after=1))
    well, forged, blind, busy, failed = jobs = database.submit(
        wanted(duration=0.2),
        wanted(duration=0.2, webhook_wrong_secret=True),
        wanted(duration=0.2, webhook_lose="all", get_502=1),
        wanted(duration=0.2, create_error="db_error", create_error_times=1),
        wanted(duration=0.2, outcome="failed", error="object", error_message="The prompt shows waves."),
    )
    database.wait(jobs)

    assert [database.job(one).state for one in jobs if one != failed] == [State.COMPLETED] * 4
    assert faults(orchestrator, well) == []
    assert Fault.SIGNATURE_REJECTED in faults(orchestrator, forged)
    assert Fault.POLL_FAULT in faults(orchestrator, blind)
    assert Fault.GATEWAY_ERROR in faults(orchestrator, busy)
    assert faults(orchestrator, failed)[0] is Fault.PROVIDER

    pasted = said(orchestrator, "show", failed, "--support")
    assert f"gateway job: {database.job(failed).gateway_id}" in pasted
    assert "policy" not in pasted
    told = json.loads(said(orchestrator, "jobs", "--blame", "signature_rejected", "--json"))
    assert [one["id"] for one in told] == [forged]

    def kept() -> set[DriftKind]:
        with database.store.read() as tx:
            return {one.kind for one in drift.every(tx)}

    # The sandbox of the tests hints at other spacings than the gateway does.
    wanted_kinds = {DriftKind.STATUS, DriftKind.HEADER, DriftKind.HINT}
    until("drift is kept", lambda: kept() >= wanted_kinds)
    assert database.job(strange).state is State.WAITING
    assert faults(orchestrator, strange) == []
    assert kept() == wanted_kinds
    assert {one["kind"] for one in orchestrator.events("drift_seen")} == wanted_kinds
    listed = json.loads(said(orchestrator, "drift", "list", "--json"))
    assert "rendering" in {one["name"] for one in listed}
