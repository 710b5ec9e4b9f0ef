"""`check`: a gateway that is away, slow, somebody else, does not take the key, or has another time."""

import re
import socket
import time

import pytest

from orchestrator.cli.exits import Exit
from orchestrator.core.vault import new_key
from tests.acceptance.sandbox import API_KEY, ENDPOINT_ID, MANAGEMENT_KEY, SECRET, Sandbox
from tests.integration.cli.conftest import Rows, Run
from tests.integration.cli.found import findings
from tests.integration.cli.outside import answering, in_front


@pytest.mark.parametrize(
    ("off", "status"),
    [(0, "ok"), (-20, "ok"), (-200, "warn"), (200, "warn"), (-1000, "fail"), (1000, "fail")],
)
def test_a_clock_that_differs_from_the_gateway_s_is_told(
    run: Run, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, off: float, status: str
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_URL", sandbox.url)
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_API_KEY", API_KEY)
    monkeypatch.setattr("orchestrator.wiring.wall_clock", lambda: time.time() + off)
    found = findings(run)["clock"]
    assert found["status"] == status
    if status != "ok":
        said = re.fullmatch(r"this clock is (\d+) s (behind|ahead of) that of .+", found["found"])
        assert said is not None
        # What is sure: less by the time that the answer took.
        assert abs(off) - 100 < int(said[1]) <= abs(off)
        assert said[2] == ("behind" if off < 0 else "ahead of")


def test_a_gateway_that_is_not_there_is_said_to_be(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_API_KEY", API_KEY)
    assert findings(run)["gateway"]["status"] == "fail"


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (200, b"<html>hello</html>", "text/html", "not a JSON object"),
        (200, b"{}", "application/json", "the list has no data"),
        (302, b"", "text/html", "HTTP 302"),
        (500, b"Internal Server Error", "text/plain", "HTTP 500"),
        (503, b"<html>busy</html>", "text/html", "HTTP 503"),
    ],
)
def test_whatever_answers_in_the_place_of_the_gateway_is_told_with_what_to_do(
    run: Run, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, kind: str, words: str
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_API_KEY", API_KEY)
    with in_front(answering(status, body, kind)) as url:
        monkeypatch.setenv("ORCHESTRATOR_GATEWAY_URL", f"{url}/v1")
        found = findings(run)
    assert found["gateway"]["status"] == "fail"
    assert words in found["gateway"]["found"]
    assert found["gateway"]["hint"]
    assert "clock" not in found  # it is nobody's whom we know


def test_the_clock_is_compared_also_where_the_key_is_refused(
    run: Run, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_URL", sandbox.url)
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_API_KEY", "phaseo_v1_sk_wrong_key")
    monkeypatch.setattr("orchestrator.wiring.wall_clock", lambda: time.time() + 1000)
    found = findings(run)
    assert (found["gateway"]["status"], found["clock"]["status"]) == ("fail", "fail")


def test_a_slow_gateway_is_named_and_so_is_what_comes_after_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.cli.checks.GATEWAY_WITHIN", 0.5)
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_API_KEY", API_KEY)
    monkeypatch.setenv("ORCHESTRATOR_WEBHOOK_ENDPOINT_ID", ENDPOINT_ID)
    monkeypatch.setenv("ORCHESTRATOR_WEBHOOK_SECRETS", SECRET)
    monkeypatch.setenv("ORCHESTRATOR_PUBLIC_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PHASEO_MANAGEMENT_KEY", MANAGEMENT_KEY)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("ORCHESTRATOR_GATEWAY_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        found = findings(run)
    assert "no whole answer in time" in found["gateway"]["found"]
    assert "no whole answer in time" in found["webhooks"]["found"]
    assert "nobody takes the connection" in found["receiver"]["found"]


def test_a_management_key_goes_to_no_other_gateway_than_that_of_the_settings(
    run: Run, rows: Rows, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEYS", new_key())
    monkeypatch.setenv("ACME", API_KEY)
    monkeypatch.setenv("SIGNING", SECRET)
    monkeypatch.setenv("PHASEO_MANAGEMENT_KEY", MANAGEMENT_KEY)
    assert run("tenants", "add", "acme").code == Exit.OK
    theirs = (
        "--base-url",
        sandbox.url,
        "--webhook-endpoint-id",
        ENDPOINT_ID,
        "--webhook-secret-env",
        "SIGNING",
    )
    assert (
        run("accounts", "add", "main", "--tenant", "acme", "--api-key-env", "ACME", *theirs).code == Exit.OK
    )
    found = findings(run)
    assert found["account acme/main"]["status"] == "ok"
    assert "PHASEO_MANAGEMENT_KEY is for" in found["webhooks acme/main"]["found"]
    assert run("webhooks", "rotate", "--tenant", "acme", "--account", "main").code == Exit.USAGE
    assert not sandbox.requests(path="/v1/webhook-endpoints")
    monkeypatch.setenv("THEIRS", MANAGEMENT_KEY)
    done = run(
        "webhooks", "rotate", "--tenant", "acme", "--account", "main", "--management-key-env", "THEIRS"
    )
    assert done.code == Exit.OK, done
