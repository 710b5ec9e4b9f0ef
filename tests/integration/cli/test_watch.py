"""`watch` beside a running orchestrator, and `sandbox` on the command line."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli.exits import Exit
from orchestrator.core.lifecycle import State
from orchestrator.sandbox.config import SandboxConfig
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.processes import Child, clean_environment, program
from tests.acceptance.sandbox import Sandbox
from tests.integration.cli.conftest import Run
from tests.ports import free_port


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Started by our own command."""
    folder = tmp_path_factory.mktemp("sandbox")
    made = Sandbox(folder, "sandbox", command=program("sandbox"))
    yield made
    made.end()


@pytest.fixture
def up(folder: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Orchestrator]:
    """A running orchestrator; commands of the test work on its database."""
    sandbox.reset()
    made = Orchestrator(folder, sandbox.url, poll_after_seconds=300)  # webhooks come first, on any machine
    sandbox.call(made.receiver)
    made.start()
    for name, value in made.settings.items():
        monkeypatch.setenv(name, value)
    yield made
    made.end()


def submit(run: Run, *more: str, **switches: object) -> str:
    setting = [f"--set=provider_params.sandbox.{name}={value}" for name, value in switches.items()]
    return run("submit", "waves", "-m", "google/veo-3.1-lite", *setting, *more).out.strip()


def test_jobs_are_followed_until_everything_is_handed_off(run: Run, up: Orchestrator) -> None:
    first, second = submit(run, duration=0.5), submit(run, "--reference=two", duration=0.2)
    said = run("watch", first, "two")
    assert said.code == Exit.OK
    for job in (first, second):
        lines = [line for line in said.out.splitlines() if job in line]
        assert lines[-1].endswith(f"{job}  completed: handed off")
    assert len(up.files()) == 2


def test_a_job_that_ends_badly_makes_the_watch_end_with_1(run: Run, up: Orchestrator) -> None:
    job = submit(run, duration=0.2, outcome="failed", error_message="Too wet.")
    said = run("watch", job)
    assert said.code == Exit.OTHERWISE
    assert "failed: Too wet.; outcome handed off" in said.out


def test_every_change_is_one_json_object(run: Run, up: Orchestrator) -> None:
    job = submit(run, duration=0.3)
    told = [json.loads(line) for line in run("watch", job, "--json").out.splitlines()]
    assert {one["job"] for one in told} == {job}
    assert (told[-1]["state"], told[-1]["over"], told[-1]["won_by"]) == ("completed", True, "webhook")
    assert [one["state"] for one in told[-1]["hand_offs"]] == ["done", "done"]
    assert not [one for one in told[:-1] if one["over"]]


def test_ctrl_c_ends_the_watching_and_not_the_job(
    run: Run, up: Orchestrator, sandbox: Sandbox, folder: Path
) -> None:
    job = submit(run, duration=600)
    watching = Child(program("watch", job), folder, "watch", os.environ)
    watching.until_said("waiting")
    up.database.wait_for(job, "it was created", lambda job: job.state is State.WAITING)
    os.kill(watching.pid, signal.SIGINT)
    assert watching.wait() == Exit.INTERRUPTED
    assert not watching.complained()
    sandbox.trigger(str(up.database.job(job).gateway_id), "video.completed")
    up.database.wait([job])


def test_all_that_is_open_is_watched_to_its_end(
    run: Run, up: Orchestrator, sandbox: Sandbox, folder: Path
) -> None:
    job = submit(run, duration=600)
    watching = Child(program("watch", "--all"), folder, "watch", os.environ)
    watching.until_said("waiting")
    up.database.wait_for(job, "it was created", lambda job: job.state is State.WAITING)
    sandbox.trigger(str(up.database.job(job).gateway_id), "video.failed")
    assert watching.wait() == Exit.OTHERWISE
    assert f"{job}  failed" in watching.said()


def test_nothing_open_is_said_and_all_right(run: Run, up: Orchestrator) -> None:
    said = run("watch", "--all")
    assert (said.code, said.out) == (Exit.OK, "no job is open\n")


@pytest.mark.parametrize("arguments", ["", "some --all"])
def test_jobs_are_named_or_all_are_watched(run: Run, arguments: str) -> None:
    assert run("watch", *arguments.split()).code == Exit.USAGE


def test_a_port_that_the_sandbox_cannot_have_is_said(sandbox: Sandbox, folder: Path) -> None:
    port = sandbox.url.rpartition(":")[2].partition("/")[0]
    second = Child(program("sandbox", "--port", port), folder, "second", clean_environment())
    assert second.wait() == Exit.OTHERWISE
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in second.complained()


def test_every_setting_of_the_sandbox_is_an_option(run: Run) -> None:
    text = run("sandbox", "--help").out
    names = set(SandboxConfig.__dataclass_fields__) - {"faults"}
    assert {name for name in names if f"--{name.replace('_', '-')}" not in text} == set()
    assert "--fault NAME=VALUE" in text


@pytest.mark.parametrize("fault", ["duration", "duratoin=1"])
def test_a_fault_that_does_not_exist_is_bad_usage(run: Run, fault: str) -> None:
    assert run("sandbox", "--fault", fault).code == Exit.USAGE


def test_an_event_is_triggered_by_any_name_of_its_job(run: Run, up: Orchestrator, sandbox: Sandbox) -> None:
    job = submit(run, "--reference=staged", duration=600)
    up.database.wait_for(job, "the gateway has it", lambda row: row.gateway_id)
    assert run("sandbox", "trigger", "video.failed", "staged").code == Exit.OK
    up.database.wait([job])
    assert up.database.job(job).state == "failed"


def test_an_event_that_cannot_be_is_refused(run: Run, up: Orchestrator, sandbox: Sandbox) -> None:
    gateway_id = sandbox.create(duration=600)
    said = run("sandbox", "trigger", "video.exploded", gateway_id)
    assert (said.code, "unknown event 'video.exploded'" in said.err) == (Exit.REFUSED, True)
    assert run("sandbox", "trigger", "video.failed", "G-none").code == Exit.REFUSED
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    assert run("sandbox", "trigger", "video.failed", "G-1", "--url", nowhere).code == Exit.GATEWAY


def test_the_real_gateway_is_not_ordered_about(run: Run) -> None:
    said = run("sandbox", "trigger", "video.failed", "G-1")
    assert (said.code, "takes no orders" in said.err) == (Exit.USAGE, True)
