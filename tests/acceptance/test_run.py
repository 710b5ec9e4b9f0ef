"""`run`: one video with one command, and what becomes of it when the command is interrupted."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.exits import Exit
from tests.acceptance.conftest import Begin
from tests.acceptance.load import finish
from tests.acceptance.processes import Child, clean_environment, program
from tests.acceptance.sandbox import API_KEY, Sandbox

Start = Callable[..., Child]


@pytest.fixture
def start(tmp_path: Path, sandbox: Sandbox) -> Iterator[Start]:
    """Starts `run` with these switches of the sandbox, on its own data folder, as a user with a key would."""
    made: list[Child] = []

    def start_it(*options: str, environment: dict[str, str] | None = None, **switches: Any) -> Child:
        given = clean_environment(
            PHASEO_API_KEY=API_KEY,
            ORCHESTRATOR_GATEWAY_URL=sandbox.url,
            ORCHESTRATOR_DATA_DIR=str(tmp_path / "data"),
            ORCHESTRATOR_POLL_AFTER_SECONDS="0.5",
        )
        setting = [f"--set=provider_params.sandbox.{name}={value}" for name, value in switches.items()]
        arguments = (
            "run",
            "waves",
            "-m",
            "google/veo-3.1-lite",
            "--out",
            str(tmp_path / "out"),
            *setting,
            *options,
        )
        made.append(Child(program(*arguments), tmp_path, f"run{len(made)}", given | (environment or {})))
        return made[-1]

    yield start_it
    for one in made:
        one.end()


def test_it_prints_the_path_of_the_whole_file(start: Start, sandbox: Sandbox) -> None:
    run = start(duration=0.5)
    assert run.wait() == Exit.OK, run.complained()
    path = Path(run.said().splitlines()[-1])
    (truth,) = sandbox.truth()
    assert sha256(path.read_bytes()).digest() == sha256(sandbox.content(truth["id"])).digest()
    assert not run.complained()


def test_a_failed_job_tells_why_and_ends_with_1(start: Start) -> None:
    run = start(duration=0.2, outcome="failed", error_message="Too wet.")
    assert run.wait() == Exit.OTHERWISE
    assert "is failed: Too wet.; outcome handed off (gateway request " in run.complained()


def test_what_the_gateway_refuses_is_told_in_its_words(start: Start) -> None:
    run = start("--set=bad=1")
    assert run.wait() == Exit.OTHERWISE
    assert 'is rejected: Unrecognized key: "bad"' in run.complained()


def test_json_ends_with_everything_about_the_job(start: Start) -> None:
    run = start("--json", duration=0.2)
    assert run.wait() == Exit.OK
    *changes, document = [json.loads(line) for line in run.said().splitlines()]
    assert {one["job"] for one in changes} == {document["job"]["id"]}
    assert document["job"]["won_by"] == "poll"
    archived, delivered = document["hand_offs"]
    assert archived["location"] == f"archive:{delivered['sha256']}"
    assert Path(delivered["location"]).exists()


def test_without_a_key_it_says_which_one_is_missing(start: Start) -> None:
    run = start(environment={"PHASEO_API_KEY": ""})
    assert run.wait() == Exit.USAGE
    assert "set ORCHESTRATOR_GATEWAY_API_KEY" in run.complained()


def test_an_interrupted_job_is_kept_and_continued(
    start: Start, begin: Begin, sandbox: Sandbox, tmp_path: Path
) -> None:
    run = start(outcome="never")
    run.until_said("waiting")
    os.kill(run.pid, signal.SIGINT)
    assert run.wait() == Exit.INTERRUPTED
    assert "is kept.\n`orchestrator up` continues it" in run.complained()
    orchestrator = begin(sandbox, data_dir=tmp_path / "data")
    orchestrator.start()
    (job,) = [one.id for one in orchestrator.database.jobs()]
    finish(orchestrator, sandbox, [job])
    orchestrator.database.wait([job])
    assert orchestrator.database.job(job).state == "completed"
    assert len(sandbox.truth(job)) == 1


def test_beside_an_orchestrator_it_is_refused_and_names_it(
    start: Start, begin: Begin, sandbox: Sandbox
) -> None:
    orchestrator = begin(sandbox)
    up = orchestrator.start()
    run = start(environment={"ORCHESTRATOR_DATA_DIR": orchestrator.settings["ORCHESTRATOR_DATA_DIR"]})
    assert run.wait() == Exit.STORE
    assert f"another orchestrator (process {up.pid}) is running on" in run.complained()
    assert not sandbox.truth()


def test_with_an_endpoint_it_receives_webhooks_itself(start: Start, begin: Begin, sandbox: Sandbox) -> None:
    settings = begin(sandbox).settings  # its port is where the sandbox sends webhooks to
    names = ("PORT", "WEBHOOK_ENDPOINT_ID", "WEBHOOK_SECRETS")
    ours = {f"ORCHESTRATOR_{name}": settings[f"ORCHESTRATOR_{name}"] for name in names}
    run = start("--json", environment=ours | {"ORCHESTRATOR_POLL_AFTER_SECONDS": "300"}, duration=0.5)
    assert run.wait() == Exit.OK, run.complained()
    assert json.loads(run.said().splitlines()[-1])["job"]["won_by"] == "webhook"
