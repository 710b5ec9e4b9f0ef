"""What a process tells at its metrics address, and at which address that is."""

import threading
from typing import Any

import httpx
import pytest

from orchestrator import metrics
from orchestrator.errors import SettingError
from orchestrator.processes import exposing as exposing_module
from orchestrator.processes.exposing import Exposed, exposing
from orchestrator.settings import Settings, load
from tests.acceptance.waiting import until
from tests.patience import LONG
from tests.ports import free_port

_LATE = "what it needs did not answer within 0 s"


def settings(**given: Any) -> Settings:
    return load({}, **given)


def ask(exposed: Exposed, path: str) -> httpx.Response:
    return httpx.get(f"{exposed.url}{path}", trust_env=False, timeout=10, verify=False)


def test_without_an_address_nothing_listens() -> None:
    with exposing(settings(), "worker") as exposed:
        assert (exposed.url, exposed.told) == (None, {})


def test_numbers_are_told_as_prometheus_reads_them() -> None:
    with exposing(settings(metrics_address="127.0.0.1:0"), "worker") as exposed:
        metrics.SWEEPS.inc()
        exposed.rows.take([(metrics.WORKERS, (), 2)])
        answer = ask(exposed, "/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert 'role="worker"' in answer.text
        assert "\norchestrator_workers 2.0\n" in answer.text
        assert "\nprocess_cpu_seconds_total " in answer.text
        assert "_created" not in answer.text
    with pytest.raises(httpx.ConnectError):
        ask(exposed, "/metrics")


def test_what_lacks_is_a_reason_not_to_be_ready_and_none_to_be_restarted() -> None:
    with exposing(settings(metrics_address="127.0.0.1:0"), "worker") as exposed:
        assert ask(exposed, "/readyz").json() == {"status": "ready"}
        exposed.lacking = lambda: ["the database is away"]
        answer = ask(exposed, "/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"status": "not ready", "reasons": ["the database is away"]}
        assert ask(exposed, "/healthz").json() == {"status": "ok"}
        assert ask(exposed, "/anything").status_code == 404


def test_what_hangs_is_asked_once_however_many_want_to_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposing_module, "READY_WITHIN", 0.2)
    asked, answered = [], threading.Event()

    def hang() -> list[str]:
        asked.append(1)
        answered.wait(LONG)
        return []

    with exposing(settings(metrics_address="127.0.0.1:0"), "worker") as exposed:
        exposed.lacking = hang
        for _ in range(3):
            answer = ask(exposed, "/readyz")
            assert (answer.status_code, answer.json()["reasons"]) == (503, [_LATE])
        assert len(asked) == 1
        assert ask(exposed, "/healthz").status_code == 200
        answered.set()
        until("it answers again", lambda: ask(exposed, "/readyz").status_code == 200)


def test_a_bug_in_finding_out_is_a_reason_not_to_be_ready() -> None:
    with exposing(settings(metrics_address="127.0.0.1:0"), "worker") as exposed:
        exposed.lacking = lambda: [1 / 0]  # type: ignore[list-item]  # it breaks before
        assert ask(exposed, "/readyz").json()["reasons"] == [
            "this could not be found out (ZeroDivisionError)"
        ]


def test_processes_of_one_machine_share_a_range() -> None:
    first = free_port()
    given = settings(metrics_address=f"127.0.0.1:{first}-{first + 40}")
    with exposing(given, "worker") as one, exposing(given, "beat") as two:
        assert one.url == f"http://127.0.0.1:{first}"
        assert two.url != one.url
        assert ask(two, "/healthz").status_code == 200


def test_a_taken_address_is_refused_by_its_setting() -> None:
    with exposing(settings(metrics_address="127.0.0.1:0"), "web") as exposed:
        assert exposed.url
        taken = exposed.url.removeprefix("http://")
        with pytest.raises(SettingError) as refused, exposing(settings(metrics_address=taken), "web"):
            pass
    assert "ORCHESTRATOR_METRICS_ADDRESS" in str(refused.value.hint)
