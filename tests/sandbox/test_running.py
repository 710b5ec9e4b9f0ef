"""The sandbox as a program: how it starts, refuses to start, and stops."""

import socket
import time
from dataclasses import fields

import httpx
import pytest
from websockets.sync.client import connect

from orchestrator.sandbox.__main__ import main
from orchestrator.sandbox.config import SandboxConfig
from tests.patience import LONG
from tests.sandbox.harness import KEY, Receiver, Sandbox, start, until


def test_a_taken_port_is_one_clear_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start("--port", str(taken.getsockname()[1]))
        out, err = process.communicate(timeout=LONG)
    assert (process.returncode, out) == (1, "")
    assert err.count("\n") == 1
    assert "--port" in err


def test_a_wrong_fault_on_the_command_line_is_one_clear_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--fault", "outcom=failed"]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert "did you mean 'outcome'" in told.err


def test_help_shows_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    options = {"--" + item.name.replace("_", "-") for item in fields(SandboxConfig)} - {"--faults"}
    assert options | {"--fault"} <= set(capsys.readouterr().out.replace(",", " ").split())


def test_it_stops_promptly_with_open_streams_and_sockets() -> None:
    sandbox = Sandbox("--fault", "content_rate=100", "--fault", "duration=0")
    job = sandbox.create()
    socket_url = f"ws{sandbox.url.removeprefix('http')}/async/video/{sandbox.create(outcome='never')}/ws"
    headers = {"Authorization": f"Bearer {KEY}"}
    stream = httpx.stream(
        "GET", f"{sandbox.url}/videos/{job}/content", headers=headers, timeout=LONG, verify=False
    )
    with connect(socket_url, additional_headers=headers, open_timeout=LONG), stream:
        began = time.monotonic()
        assert sandbox.stop() == ""
    assert time.monotonic() - began < 60, "it waited for the stream, which lasts longer"


def test_options_at_start_register_an_endpoint_and_can_forbid_others(receiver: Receiver) -> None:
    endpoint = "7f9c2ba4-e88f-4f9a-8d0e-0c1b2a3d4e5f"
    options = ("--webhook-url", receiver.url, "--webhook-secret", "whsec_x", "--endpoint-id", endpoint)
    sandbox = Sandbox(
        *options, "--no-allow-private-webhooks", "--poll-after-seconds", "2", "--fault", "duration=0"
    )
    try:
        job = sandbox.create({"webhook": {"endpoint_id": endpoint}})
        assert receiver.wait(1)[0].body["data"]["id"] == job
        assert sandbox.get(job)["poll_after_seconds"] == 2
        answer = sandbox.management.post("/webhook-endpoints", json={"url": "https://127.0.0.1/"})
        assert answer.json()["error"]["details"] == {"reason": "webhook_url_private_network_not_allowed"}
        sandbox.reset()
        sandbox.create({"webhook": {"endpoint_id": endpoint}})
        receiver.wait(2)
    finally:
        assert sandbox.stop() == ""


def test_hundreds_of_jobs_end_and_are_announced(fast: Sandbox, receiver: Receiver) -> None:
    endpoint = fast.endpoint(receiver.url)["id"]
    jobs = {fast.create({"webhook": {"endpoint_id": endpoint}}, duration=120) for _ in range(200)}
    until(lambda: {hook.body["data"]["id"] for hook in list(receiver.hooks)} == jobs)
    assert len(receiver.hooks) == 200
