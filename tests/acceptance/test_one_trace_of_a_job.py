"""Web, worker and beat tell one trace of each job, and numbers that add up; neither says what is secret."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.core.tracing import Part, trace_of
from orchestrator.core.vault import new_key as new_secret_key
from orchestrator.fault_points import FaultPoint
from tests.acceptance.callers import calling, new_key
from tests.acceptance.collector import Collector, Told, collecting
from tests.acceptance.conftest import Begin, Deploy
from tests.acceptance.database import MODEL, wanted
from tests.acceptance.fleet import Fleet
from tests.acceptance.processes import free_port
from tests.acceptance.receiving import SignedCalls
from tests.acceptance.sandbox import API_KEY, SECRET, Sandbox
from tests.acceptance.test_results_reach_every_kind_of_destination import SIGNED_WITH
from tests.acceptance.waiting import LONG, until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PROMPT = "canary-of-a-prompt"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


@pytest.fixture
def calls() -> Iterator[SignedCalls]:
    made = SignedCalls(SIGNED_WITH)
    yield made
    made.close()


def destinations(folder: Path, calls: SignedCalls) -> Path:
    (folder / "results").mkdir()
    file = folder / "destinations.toml"
    file.write_text(
        f'[destinations.results]\ntype = "folder"\npath = "{folder / "results"}"\n\n'
        f'[destinations.hook]\ntype = "webhook"\nurl = "{calls.url}"\nallow_http = true\n'
        'allow = ["127.0.0.0/8"]\nsecrets = [{ env = "TESTS_HOOK_SECRET" }]\n'
    )
    return file


def request(**switches: Any) -> dict[str, Any]:
    return {
        "request": {"model": MODEL, "prompt": PROMPT, "provider_params": {"sandbox": switches}},
        "reference": "canary-of-a-reference",
    }


def test_a_job_is_one_trace_over_all_processes_and_each_counts_what_it_did(
    deploy: Deploy,
    sandbox: Sandbox,
    tmp_path: Path,
    collector: Collector,
    calls: SignedCalls,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TESTS_HOOK_SECRET", SIGNED_WITH)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    file = destinations(tmp_path, calls)
    fleet = deploy(sandbox, destinations_file=file, secret_keys=new_secret_key(), tracing="true")
    ports = {role: free_port() for role in ("web", "worker", "beat")}
    fleet.database.jobs()
    fleet.ready(*(fleet.launch(role, metrics_address=f"127.0.0.1:{port}") for role, port in ports.items()))
    with calling(fleet.base, new_key(fleet.database)) as client:
        hooked = _submit(client, request(duration=0.3), traceparent=f"00-{TRACE}-{PARENT}-01")
        polled = _submit(client, request(duration=0.3) | {"updates": "poll"})
        badly = _submit(client, request(duration=0.3, outcome="failed"))
    fleet.database.wait([hooked, polled, badly])
    until("all of it was told", lambda: all(_whole(collector.of(one)) for one in (hooked, polled, badly)))

    _one_trace(collector.of(hooked), hooked, TRACE, PARENT)
    for job_id in (polled, badly):
        _one_trace(collector.of(job_id), job_id, trace_of(job_id, None).id, "")
    assert _names(collector.of(hooked)) >= {Part.WEBHOOK}
    assert _names(collector.of(polled)) >= {Part.LOOK}
    assert {one.process["service.name"] for one in collector.of(hooked)} == {"orchestrator"}
    assert len({one.process["service.instance.id"] for one in collector.of(hooked)}) == 2, "web and worker"
    (own,) = [one for one in collector.of(badly) if one.name == Part.JOB]
    assert (own.failed, own.facts["job.blame"]) == (True, "provider")
    _calls_belong_to_their_spans(collector, sandbox, calls, hooked)
    assert {line["trace_id"] for line in fleet.events("handed_off", job=hooked)} == {TRACE}
    assert {line["trace_id"] for line in fleet.events("job_moved", job=hooked)} == {TRACE}

    told = _numbers_add_up(fleet, ports)
    for secret in (PROMPT, "canary-of-a-reference", API_KEY, SECRET, SIGNED_WITH):
        assert secret not in told
        assert secret.encode() not in collector.raw


def test_a_job_whose_process_was_killed_and_whose_hand_off_failed_is_one_trace_all_the_same(
    begin: Begin, sandbox: Sandbox, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    orchestrator = begin(sandbox, tracing="true")
    fails_once = wanted(duration=0.3, content_error="text_500", content_error_times=1)
    (job_id,) = orchestrator.database.submit(fails_once)
    orchestrator.launch(fault_point=FaultPoint.HAND_OFF_PUBLISHED)
    orchestrator.dies_at(FaultPoint.HAND_OFF_PUBLISHED)
    orchestrator.start()
    orchestrator.database.wait([job_id])

    def brought() -> list[Told]:
        done = [one for one in collector.of(job_id) if one.facts.get("hand_off.result") == "done"]
        return done if len(done) == 2 else []

    until("both hand-offs were told", brought)
    spans = collector.of(job_id)
    _one_trace(spans, job_id, trace_of(job_id, None).id, "")
    assert len({one.process["service.instance.id"] for one in spans}) == 3, "who submitted, and both runs"
    attempts = [one for one in spans if one.name == Part.HAND_OFF]
    assert [one.failed for one in attempts][:1] == [True], "the one that failed is a part of its own"
    assert len(attempts) >= 3


def _submit(client: httpx.Client, body: dict[str, Any], **headers: str) -> str:
    answer = client.post("/v1/jobs", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _names(spans: list[Told]) -> set[str]:
    return {one.name for one in spans}


def _whole(spans: list[Told]) -> bool:
    brought = {one.facts["hand_off.destination"] for one in spans if one.name == Part.HAND_OFF}
    return _names(spans) >= {Part.JOB, Part.SUBMIT, Part.CREATE} and "hook" in brought


def _one_trace(spans: list[Told], job_id: str, trace: str, parent: str) -> None:
    assert {one.trace for one in spans} == {trace}
    (own,) = [one for one in spans if one.name == Part.JOB]
    assert own.parent == parent
    others = [one for one in spans if one is not own]
    assert {one.parent for one in others} == {own.id} == {trace_of(job_id, None).span_id(Part.JOB)}
    ids = Counter(one.id for one in spans)
    assert set(ids.values()) == {1}, "each part is told once"
    assert all(own.began <= one.ended and one.began <= one.ended for one in others)


def _calls_belong_to_their_spans(
    collector: Collector, sandbox: Sandbox, calls: SignedCalls, job_id: str
) -> None:
    """Who was called could go on with the trace."""
    spans = {(one.name, one.facts.get("hand_off.destination")): one for one in collector.of(job_id)}
    hand_off = spans[Part.HAND_OFF, "hook"]
    assert calls.traceparents[f"{job_id}-completed"] == f"00-{TRACE}-{hand_off.id}-01"
    sent = {one["traceparent"] for one in sandbox.requests("POST", path="/v1/videos")}
    assert f"00-{TRACE}-{spans[Part.CREATE, None].id}-01" in sent


def _numbers_add_up(fleet: Fleet, ports: dict[str, int]) -> str:
    """Each process counts its own, and their sum is what happened. Returns all that they told."""
    told = {role: _scraped(port) for role, port in ports.items()}
    assert _sum(told, "orchestrator_jobs_accepted_total") == 3
    assert _sum(told, "orchestrator_jobs_ended_total", state="completed", blame="nobody") == 2
    assert _sum(told, "orchestrator_jobs_ended_total", state="failed", blame="provider") == 1
    assert _sum(told, "orchestrator_create_seconds_count", result="created") == 3
    done = {"kind": "outcome", "destination": "hook", "result": "done"}
    assert _sum(told, "orchestrator_hand_offs_total", **done) == 3
    assert _sum({"web": told["web"]}, "orchestrator_webhook_seconds_count", fate="applied") >= 2
    assert _sum({"worker": told["worker"]}, "orchestrator_looks_total", result="ended") >= 1
    assert _sum({"beat": told["beat"]}, "orchestrator_messages_total", task="sweep", result="sent") >= 1
    for role, text in told.items():
        assert _sum({role: text}, "orchestrator_build_info", role=role) == 1
        assert ("orchestrator_rows_age_seconds" in text) == (role == "web"), "rows are told by web alone"
    assert 'orchestrator_due_lag_seconds{task="hand_off"}' in told["web"]
    for port in ports.values():
        answer = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=LONG, trust_env=False, verify=False)
        assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    return "".join(told.values())


def _scraped(port: int) -> str:
    def rows_are_there() -> str | None:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=LONG, trust_env=False, verify=False).text
        ready = 'role="web"' not in text or "orchestrator_rows_age_seconds" in text
        return text if ready else None

    return str(until("rows were read", rows_are_there))


def _sum(told: dict[str, str], name: str, **labels: str) -> float:
    return sum(
        sample.value
        for text in told.values()
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
