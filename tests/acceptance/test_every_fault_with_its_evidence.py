"""Every fault there is, met by real jobs of real processes: what a person reads of it, and pastes to whom."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.blame import TOLD, Fault
from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from orchestrator.core.vault import new_key as new_secret_key
from orchestrator.engine import blaming
from orchestrator.engine.submit import Submission
from tests.acceptance.conftest import Begin
from tests.acceptance.database import MODEL
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.processes import clean_environment, program
from tests.acceptance.sandbox import API_KEY, SECRET, Sandbox
from tests.acceptance.waiting import LONG, until

PROMPT = "A lighthouse keeper named Aurelia walks through the storm"
SIGNED_WITH = "whsec_" + "QUJD" * 8
NOWHERE = "http://127.0.0.1:9/canary-of-a-path"


def a_job(destinations: tuple[str, ...] = ("folder",), **switches: Any) -> Submission:
    """One that ends well after a minute of the gateway's, if nothing is switched."""
    sandbox = {"duration": 60, **switches}
    request = {"model": MODEL, "prompt": PROMPT, "provider_params": {"sandbox": sandbox}}
    return Submission(request, updates=Updates.HYBRID, destinations=destinations)


NEVER = a_job(outcome="never")
STAGED = {
    Fault.PROVIDER: a_job(outcome="failed", error="object", error_message=f"'{PROMPT}' violates policy"),
    Fault.REQUEST: a_job(create_error="unsupported_model"),
    Fault.GATEWAY_ERROR: a_job(create_error="db_error", create_error_times=1),
    Fault.SIGNATURE_REJECTED: a_job(webhook_wrong_secret=True),
    # It ends after all others: of several, the list that is read for the others may tell the end.
    Fault.POLL_FAULT: a_job(webhook_lose="all", get_502=1, duration=3_000),
    # A webhook that is quicker than the answer would say that a job was made.
    Fault.UNCERTAIN_CREATE: a_job(create_error="text_500_after", webhook_lose="all"),
    Fault.HAND_OFF_FAILED: a_job(("broken",)),
    Fault.OUTPUT_MISSING: a_job(content="garbage"),
    Fault.DEADLINE: replace(NEVER, deadline_seconds=6.0),
}
EVIDENCE = {
    Fault.PROVIDER: "violates policy",
    Fault.REQUEST: "Unsupported model",
    Fault.GATEWAY_ERROR: "db_error",
    Fault.HOOK_NOT_SENT: "no webhook came within",
    Fault.HOOK_REFUSED_BY_US: "answered by our side with HTTP 404",
    Fault.HOOK_EXHAUSTED: "4 tries of a webhook, the last one answered by our side with no answer",
    Fault.SIGNATURE_REJECTED: "no live secret of the account made this signature",
    Fault.POLL_FAULT: "502",
    Fault.UNCERTAIN_CREATE: "whether the create call had made a job: Internal Server Error",
    Fault.HAND_OFF_FAILED: "to broken, after 2 attempts",
    Fault.OUTPUT_MISSING: "output 0",
    Fault.DEADLINE: "the gateway's last word was processing",
    Fault.CALLER: "cancelled before the gateway made anything of it",
}
# The job does not suffer from the others any more.
LASTS = {
    Fault.PROVIDER,
    Fault.REQUEST,
    Fault.DEADLINE,
    Fault.CALLER,
    Fault.OUTPUT_MISSING,
    Fault.HAND_OFF_FAILED,
}


def said(orchestrator: Orchestrator, *command: str) -> str:
    """What a command says, as a process of its own."""
    environment = clean_environment(**orchestrator.settings, TESTS_HOOK_SECRET=SIGNED_WITH)
    done = subprocess.run(
        program(*command), env=environment, capture_output=True, text=True, timeout=LONG, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def orchestrator(
    begin: Begin, fast_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Orchestrator:
    monkeypatch.setenv("TESTS_HOOK_SECRET", SIGNED_WITH)
    file = tmp_path / "destinations.toml"
    file.write_text(
        f'[destinations.broken]\ntype = "webhook"\nurl = "{NOWHERE}"\nallow_http = true\n'
        'allow = ["127.0.0.0/8"]\nsecrets = [{ env = "TESTS_HOOK_SECRET" }]\n'
    )
    tries = {"hand_off_attempts": 2, "content_patience_seconds": 1}
    return begin(fast_sandbox, destinations_file=file, secret_keys=new_secret_key(), **tries)


def test_every_fault_is_told_with_evidence_request_id_and_a_text_to_paste(
    orchestrator: Orchestrator, fast_sandbox: Sandbox
) -> None:
    database = orchestrator.database
    (cancelled,) = database.submit(NEVER)
    said(orchestrator, "cancel", cancelled)
    orchestrator.start()
    met = {Fault.CALLER: cancelled} | dict(zip(STAGED, database.submit(*STAGED.values()), strict=True))
    database.wait([job_id for fault, job_id in met.items() if fault is not Fault.CALLER])
    met |= {
        Fault.HOOK_NOT_SENT: _not_sent(orchestrator),
        Fault.HOOK_REFUSED_BY_US: _refused_by_us(orchestrator, fast_sandbox),
        Fault.HOOK_EXHAUSTED: _exhausted(orchestrator, fast_sandbox),
    }
    assert met.keys() == set(Fault), "each fault there is"
    for fault, job_id in met.items():
        _is_told(orchestrator, fault, job_id)
    exhausted = met[Fault.HOOK_EXHAUSTED]
    assert "4 tries of a webhook" in said(orchestrator, "show", exhausted, "--support")
    listed = json.loads(said(orchestrator, "jobs", "--blame", Fault.HOOK_EXHAUSTED, "--json"))
    assert [one["id"] for one in listed] == [exhausted]
    written = orchestrator.logs()
    for secret in ("Aurelia", API_KEY, SECRET, SIGNED_WITH):
        assert secret not in written, "neither in a log: what the gateway repeated of a request is nobody's"


def _not_sent(orchestrator: Orchestrator) -> str:
    """The gateway sends no webhook of the end; a look finds it."""
    (job_id,) = orchestrator.database.submit(a_job(webhook_lose="all"))
    until("it is noted", lambda: orchestrator.database.job(job_id).hook_missed)
    return job_id


def _refused_by_us(orchestrator: Orchestrator, sandbox: Sandbox) -> str:
    """The gateway calls where our receiver knows no account."""
    sandbox.call(orchestrator.receiver + "-of-nobody")
    (job_id,) = orchestrator.database.submit(a_job())
    orchestrator.database.wait([job_id])
    sandbox.call(orchestrator.receiver)
    return job_id


def _exhausted(orchestrator: Orchestrator, sandbox: Sandbox) -> str:
    """Nobody is there when the gateway calls, however often it tries."""
    database = orchestrator.database
    (job_id,) = database.submit(a_job(duration=600))
    job = database.wait_for(job_id, "it was created", lambda job: job.state is State.WAITING)
    orchestrator.kill()

    def given_up() -> bool:
        told = sandbox.webhooks(job_id=job.gateway_id, type="video.completed")
        return [one["state"] for one in told] == ["failed_permanently"]

    until("the gateway gave it up", given_up)
    orchestrator.start()
    database.wait([job_id])
    return job_id


def _is_told(orchestrator: Orchestrator, fault: Fault, job_id: str) -> None:
    job = orchestrator.database.job(job_id)
    with orchestrator.database.store.read() as tx:
        found = {one.fault: one for one in blaming.of_job(tx, job)}
    assert fault in found, (fault, found)
    one = found[fault]
    assert EVIDENCE[fault] in one.evidence, one
    assert (one.addressee, one.of_end) == (TOLD[fault], job.blame is fault)
    assert (one.overcome is None) == (fault in LASTS), one
    assert one.request_id or fault is Fault.CALLER, "nothing was ever asked about that one"
    pasted = one.text_for_support
    for told in (job_id, job.gateway_id, one.request_id, job.session_id if job.gateway_id else None):
        assert told is None or told in pasted, (fault, told, pasted)
    for secret in ("Aurelia", API_KEY, SECRET, SIGNED_WITH):
        assert secret not in pasted, (fault, pasted)
