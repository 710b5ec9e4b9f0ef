"""Whose fault it was, and what of the gateway's words is new, from the command line."""

import json

import pytest

from orchestrator.core.blame import Fault, Met
from orchestrator.core.drift import Drift, DriftKind, Place
from orchestrator.core.job import Failure, Observation, Source
from orchestrator.core.lifecycle import Seen
from orchestrator.store import drift, faults, jobs
from orchestrator.store.drift import Folded
from tests.integration.cli.conftest import Rows, Run


def met(rows: Rows, job_id: str, fault: Fault, evidence: str) -> None:
    with rows.context.store.write() as tx:
        faults.note(tx, jobs.require(tx, job_id), Met(fault, evidence, "G-REQ"))


@pytest.fixture
def failed(rows: Rows) -> str:
    """A job that failed, and whose looks failed on its way."""
    job_id = rows.created("G-9")
    met(rows, job_id, Fault.POLL_FAULT, "a look failed: HTTP 502")
    why = Failure("no waves, please", "policy")
    rows.see(job_id, Observation(Source.WEBHOOK, Seen.FAILED_STORED, gateway_id="G-9", failure=why))
    return job_id


def test_show_has_each_fault_with_its_evidence(run: Run, failed: str) -> None:
    page = run("show", failed).out
    assert "provider (the reason): the provider ended a video job without a result" in page
    assert "failed: no waves, please (code policy)" in page
    assert "poll_fault (on the way): the status of a video job could not be read" in page
    assert "a look failed: HTTP 502\n  since then: the job's end is known: failed\n" in page
    assert f"orchestrator show {failed} --support" in page
    found = json.loads(run("show", failed, "--json").out)["findings"]
    assert [(one["fault"], one["of_end"], one["request_id"]) for one in found] == [
        ("provider", True, None),
        ("poll_fault", False, "G-REQ"),
    ]


def test_what_to_paste_is_printed_alone(run: Run, rows: Rows, failed: str) -> None:
    said = run("show", failed, "--support").out
    assert said.startswith("To the provider's support, through the gateway's: ")
    assert "To the gateway's support: " in said
    assert "gateway request: G-REQ" in said
    assert "prompt: 5 characters, not shown" in said
    assert "timeline" not in said
    assert "waves" not in said
    assert run("show", rows.submit(), "--support").out == "nothing went wrong with this job\n"


def test_jobs_are_listed_by_their_blame_and_by_what_they_met(run: Run, rows: Rows, failed: str) -> None:
    other = rows.submit()
    met(rows, other, Fault.POLL_FAULT, "x")
    for blame, wanted in (("provider", [failed]), ("poll_fault", [other, failed]), ("caller", [])):
        found = json.loads(run("jobs", "--blame", blame, "--json").out)
        assert [one["id"] for one in found] == wanted
    assert "no jobs" in run("jobs", "--blame", "deadline").out
    assert "1 of 2" in run("jobs", "--blame", "poll_fault", "--limit", 1).out
    assert run("jobs", "--blame", "nobody").code == 2


def test_drift_is_listed_and_forgotten(run: Run, rows: Rows) -> None:
    assert "as its contract has it" in run("drift", "list").out
    words = [Drift(DriftKind.STATUS, Place.LOOK, name) for name in ("rendering", "paused\x1b[31m")]
    with rows.context.store.write() as tx:
        drift.add(tx, {one: Folded(3, None, "G-1") for one in words})
    page = run("drift", "list").out
    assert "unknown_status  look" in page
    assert "\x1b" not in page
    assert {one["name"] for one in json.loads(run("drift", "list", "--json").out)} == {
        one.name for one in words
    }
    assert run("drift", "forget", "rendering").out == "forgotten: 1\n"
    assert run("drift", "forget").code == 2
    assert run("drift", "forget", "x", "--all").code == 2
    assert json.loads(run("drift", "forget", "--all", "--json").out) == {"forgotten": 1}
