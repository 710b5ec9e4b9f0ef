"""The sandbox as a program: how it starts, refuses to start, and stops."""

import socket
import subprocess
import time

import httpx
from websockets.sync.client import connect

from tests.sandbox.harness import KEY, Receiver, Sandbox, start, until


def test_a_taken_port_is_one_clear_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start("--port", str(taken.getsockname()[1]))
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (1, "")
    assert err.count("\n") == 1
    assert "--port" in err


def test_a_wrong_fault_on_the_command_line_is_one_clear_sentence() -> None:
    process = start("--fault", "outcom=failed")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err.count("\n")) == (2, "", 1)
    assert "did you mean 'outcome'" in err


def test_it_stops_promptly_with_open_streams_and_sockets() -> None:
    sandbox = Sandbox("--fault", "content_rate=100", "--fault", "duration=0")
    job = sandbox.create()
    socket_url = f"ws{sandbox.url.removeprefix('http')}/async/video/{sandbox.create(outcome='never')}/ws"
    headers = {"Authorization": f"Bearer {KEY}"}
    stream = httpx.stream("GET", f"{sandbox.url}/videos/{job}/content", headers=headers)
    with connect(socket_url, additional_headers=headers), stream:
        began = time.monotonic()
        assert sandbox.stop() == ""
    assert time.monotonic() - began < 4


def test_an_endpoint_given_at_start_gets_the_webhooks(receiver: Receiver) -> None:
    endpoint = "7f9c2ba4-e88f-4f9a-8d0e-0c1b2a3d4e5f"
    options = ("--webhook-url", receiver.url, "--webhook-secret", "whsec_x", "--endpoint-id", endpoint)
    sandbox = Sandbox(*options, "--poll-after-seconds", "2", "--fault", "duration=0")
    try:
        job = sandbox.create({"webhook": {"endpoint_id": endpoint}})
        assert receiver.wait(1)[0].body["data"]["id"] == job
        assert sandbox.get(job)["poll_after_seconds"] == 2
        sandbox.reset()
        sandbox.create({"webhook": {"endpoint_id": endpoint}})
        receiver.wait(2)
    finally:
        assert sandbox.stop() == ""


def test_a_strict_sandbox_sends_no_webhook_to_this_machine() -> None:
    sandbox = Sandbox("--no-allow-private-webhooks")
    try:
        answer = sandbox.management.post("/webhook-endpoints", json={"url": "https://127.0.0.1/"})
        assert answer.json()["error"]["details"] == {"reason": "webhook_url_private_network_not_allowed"}
    finally:
        sandbox.stop()


def test_hundreds_of_jobs_end_and_are_announced(fast: Sandbox, receiver: Receiver) -> None:
    endpoint = fast.endpoint(receiver.url)["id"]
    jobs = {fast.create({"webhook": {"endpoint_id": endpoint}}, duration=120) for _ in range(300)}
    until(lambda: {hook.body["data"]["id"] for hook in list(receiver.hooks)} == jobs)
    assert len(receiver.hooks) == 300


def test_help_shows_every_option() -> None:
    process = start("--help")
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert isinstance(process, subprocess.Popen)
    assert {"--seed", "--time-scale", "--fault", "--webhook-url"} <= set(out.replace(",", " ").split())
