"""The sandbox's own routes, its live switches, and the promise that a seed tells one story."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from orchestrator.sandbox.switches import JobSwitches, LiveSwitches
from tests.sandbox.harness import KEY, Sandbox, until


def test_every_switch_is_listed_with_its_meaning(sandbox: Sandbox) -> None:
    listed = sandbox.control.get("/switches").json()["switches"]
    assert {row["name"] for row in listed} == {
        item.name for kind in (JobSwitches, LiveSwitches) for item in fields(kind)
    }
    assert all(row["meaning"].endswith(".") for row in listed)


@pytest.mark.parametrize(
    ("switches", "words"),
    [
        ({"outcom": "failed"}, "did you mean 'outcome'?"),
        ({"outcome": "burnt"}, "one of completed, failed"),
        ({"duration": "long"}, "it takes float"),
        ({"get_500": True}, "it takes int"),
        ({"create_error": "nope"}, "key_limit"),
        ({"provider": "nope"}, "google-ai-studio"),
    ],
)
def test_an_unknown_switch_is_refused_with_help(
    sandbox: Sandbox, switches: dict[str, Any], words: str
) -> None:
    per_job, for_all = sandbox.post(**switches), sandbox.control.put("/faults", json=switches)
    assert per_job.status_code == for_all.status_code == 400
    assert words in per_job.json()["description"]
    assert words in for_all.json()["error"]
    assert sandbox.truth() == []


def test_switches_for_all_merge_and_null_restores_one(sandbox: Sandbox) -> None:
    sandbox.faults(outcome="failed", duration=0)
    sandbox.faults(outcome=None, latency=0.01)
    shown = sandbox.control.get("/faults").json()
    assert (shown["job"]["outcome"], shown["job"]["duration"], shown["live"]["latency"]) == (
        "completed",
        0,
        0.01,
    )
    assert sandbox.get(sandbox.create())["status"] == "completed"
    assert sandbox.control.delete("/faults").json()["job"]["duration"] is None


def test_a_jobs_own_switch_outranks_the_default(sandbox: Sandbox) -> None:
    sandbox.faults(outcome="failed", duration=0)
    assert sandbox.get(sandbox.create(outcome="cancelled"))["status"] == "cancelled"


def test_the_gateway_can_be_down_for_gets_or_wholly(sandbox: Sandbox) -> None:
    job = sandbox.create()
    sandbox.faults(down="gets")
    answer = sandbox.api.get(f"/videos/{job}")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert sandbox.post().status_code == 200
    sandbox.faults(down="all")
    assert sandbox.post().status_code == 500
    sandbox.faults(down="none")
    assert sandbox.get(job)


def test_connections_can_drop(sandbox: Sandbox) -> None:
    sandbox.faults(drop="gets")
    with pytest.raises(httpx.RemoteProtocolError):
        sandbox.api.get("/videos")
    assert sandbox.post().status_code == 200


@pytest.mark.parametrize(("switch", "status"), [("drop", 403), ("down", 500)])
def test_no_websocket_opens_while_the_gateway_is_away(sandbox: Sandbox, switch: str, status: int) -> None:
    address = f"ws{sandbox.url.removeprefix('http')}/async/video/{sandbox.create()}/ws"
    sandbox.faults(**{switch: "all"})
    with pytest.raises(InvalidStatus) as refused:
        connect(address, additional_headers={"Authorization": f"Bearer {KEY}"})
    assert refused.value.response.status_code == status


def test_one_provider_can_be_broken_for_all_its_jobs(sandbox: Sandbox) -> None:
    openai, google = sandbox.done({"model": "openai/sora-2"}), sandbox.done()
    sandbox.faults(provider_502="openai")
    assert sandbox.api.get(f"/videos/{openai}").status_code == 502
    assert sandbox.api.get(f"/videos/{google}").status_code == 200
    assert {row["status"] for row in sandbox.api.get("/videos").json()["data"]} == {"completed"}


def test_answers_can_be_slow(sandbox: Sandbox) -> None:
    sandbox.faults(latency=0.2)
    assert sandbox.api.get("/videos").elapsed.total_seconds() >= 0.2


@pytest.mark.parametrize(
    ("hold", "ask"),
    [
        ("creates", lambda sandbox, _: sandbox.post()),
        ("looks", lambda sandbox, job: sandbox.api.get(f"/videos/{job}")),
        ("content", lambda sandbox, job: sandbox.content(job)),
        ("all", lambda sandbox, _: sandbox.api.get("/videos")),
    ],
)
def test_answers_can_be_held_back_until_it_is_over(
    sandbox: Sandbox, hold: str, ask: Callable[[Sandbox, str], httpx.Response]
) -> None:
    job = sandbox.done()
    sandbox.faults(hold=hold)
    with ThreadPoolExecutor(1) as client:
        answer = client.submit(ask, sandbox, job)
        until(lambda: sandbox.control.get("/requests").json()["count"] == 2)
        until(lambda: len(sandbox.truth()) == (2 if hold == "creates" else 1))  # what was asked for is done
        if hold == "creates":
            assert sandbox.get(job), "others are answered"
        assert not answer.done()
        sandbox.faults(hold="none")
        assert answer.result().status_code == 200


def test_the_log_tells_what_was_asked_and_answered(sandbox: Sandbox) -> None:
    job = sandbox.create(session="s")
    sandbox.get(job)
    sandbox.api.get("/videos/G-NOPE")
    rows = sandbox.control.get("/requests").json()["requests"]
    told = [(row["method"], row["status"], row["job_id"], row["session_id"]) for row in rows]
    assert told == [("POST", 200, job, "s"), ("GET", 200, job, None), ("GET", 404, "G-NOPE", None)]
    assert sandbox.control.get("/requests", params={"method": "GET", "job_id": job}).json()["count"] == 1
    assert sandbox.control.get("/requests", params={"path": "/v1/webhook"}).json()["count"] == 0
    newer = sandbox.control.get("/requests", params={"after": rows[1]["n"]}).json()["requests"]
    assert newer == rows[2:]


def test_the_truth_of_a_job_is_told(sandbox: Sandbox) -> None:
    job = sandbox.done(notice="tick", outcome="failed")
    before = sandbox.truth(id=job)[0]
    assert (before["live"], before["stored"], before["gets"]) == ("failed", "queued", 0)
    sandbox.get(job)
    after = sandbox.truth(id=job)[0]
    assert (after["stored"], after["gets"]) == ("failed", 1)


@pytest.mark.parametrize(("notice", "stored"), [("instant", "failed"), ("tick", "queued")])
def test_a_job_can_be_ended_at_any_moment_and_the_gateway_learns_of_it_as_usual(
    sandbox: Sandbox, notice: str, stored: str
) -> None:
    job = sandbox.create(outcome="never", notice=notice)
    answer = sandbox.control.post(f"/jobs/{job}/end", json={"status": "failed"})
    assert answer.status_code == 202
    truth = answer.json()["job"]
    assert (truth["live"], truth["stored"]) == ("failed", stored)
    sandbox.control.post(f"/jobs/{job}/end", json={"status": "completed"})
    assert sandbox.get(job)["status"] == "failed", "it had ended"


def test_an_end_that_cannot_be_is_refused_with_help(sandbox: Sandbox) -> None:
    job = sandbox.create(outcome="never")
    wrong = sandbox.control.post(f"/jobs/{job}/end", json={"status": "burnt"})
    assert (wrong.status_code, "one of cancelled, completed" in wrong.json()["error"]) == (400, True)
    assert sandbox.control.post(f"/jobs/{job}/end", content=b"{").status_code == 400
    assert sandbox.control.post("/jobs/G-NOPE/end", json={"status": "failed"}).status_code == 404
    assert sandbox.get(job)["status"] == "processing"


def test_a_seed_tells_the_same_story_twice(sandbox: Sandbox) -> None:
    def story() -> list[tuple[str, float]]:
        sandbox.reset()
        sandbox.faults(failure_rate=0.5)
        for _ in range(12):
            sandbox.create()
        rows = sorted(sandbox.truth(), key=lambda row: row["number"])
        return [(row["outcome"], round(row["ends_at"] - row["created_at"], 3)) for row in rows]

    first = story()
    assert first == story()
    assert {outcome for outcome, _ in first} == {"completed", "failed"}
    assert len({lasts for _, lasts in first}) > 6
