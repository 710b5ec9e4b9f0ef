"""The demo succeeds by itself, and fails as soon as the receiver, the poller or a worker does not work."""

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.exits import Exit
from orchestrator.demo.cases import CASES
from tests.acceptance.processes import Child, clean_environment, program
from tests.acceptance.waiting import until

Demo = Callable[..., Child]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """Starts demos. Afterwards nothing of them runs, and no temporary file is left."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    made: list[Child] = []

    def start(*options: str, **settings: str) -> Child:
        named = {f"ORCHESTRATOR_{name.upper()}": value for name, value in settings.items()}
        environment = clean_environment(TMPDIR=str(scratch), **named)
        command = program("demo", "--out", str(tmp_path / "out"), *options)
        # What it started is known by its environment, which a fork would not show.
        made.append(Child(command, tmp_path, f"demo{len(made)}", environment, anew=True))
        return made[-1]

    yield start
    for one in made:
        one.end()
    until("the demo's own processes are gone", lambda: not children_in(scratch))


def children_in(folder: Path) -> list[str]:
    """Processes whose environment or files point to a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
        except OSError:
            continue  # it has ended meanwhile, or is not ours
    return found


def test_every_case_ends_as_it_must_by_the_path_it_must(demo: Demo, tmp_path: Path) -> None:
    run = demo(
        "--json", gateway_api_key="a-real-key", poll_after_seconds="1", output_dir=str(tmp_path / "real")
    )
    assert run.wait() == Exit.OK, run.said() + run.complained()
    summary = json.loads(run.said().splitlines()[-1])
    cases: dict[str, dict[str, Any]] = {one["case"]: one for one in summary["cases"]}
    assert summary["ok"] is True
    assert list(cases) == [case.name for case in CASES]
    assert {name: (one["outcome"], one["won_by"]) for name, one in cases.items()} == {
        "webhook": ("completed", "webhook"),
        "polling": ("completed", "poll"),
        "lost": ("completed", "poll"),
        "doubled": ("completed", "webhook"),
        "failed": ("failed", "webhook"),
        "expired": ("expired", "webhook"),
        "two": ("completed", "webhook"),
    }
    assert (cases["webhook"]["looks"], cases["polling"]["webhooks"], cases["doubled"]["webhooks"]) == (
        0,
        0,
        6,
    )
    assert cases["failed"]["error"]["message"] == "The prompt violates policy."
    assert cases["failed"]["gateway_request_id"]
    files = [Path(file["path"]) for one in cases.values() for file in one["files"]]
    assert sorted(files) == sorted((tmp_path / "out").glob("job_*"))
    assert not list((tmp_path / "scratch").iterdir())
    assert not (tmp_path / "real").exists()


def test_in_a_pipe_it_tells_what_happens_in_lines_and_ends_with_a_table(demo: Demo) -> None:
    run = demo("--case", "webhook", "--case", "failed")
    assert run.wait() == Exit.OK, run.said() + run.complained()
    said = run.said()
    assert re.search(r"^ +\d+\.\d s  webhook healthy  completed: handed off$", said, re.MULTILINE)
    assert re.search(r"^case +outcome +won by +looks +webhooks$", said, re.MULTILINE)
    assert re.search(r"^webhook healthy +completed +webhook +0 +2$", said, re.MULTILINE)
    assert re.search(r"^  job_\w+-0\.mp4  \d+ bytes  sha256 [0-9a-f]{12}$", said, re.MULTILINE)
    assert re.search(r"^  job_\w+: The prompt violates policy\.$", said, re.MULTILINE)
    assert re.search(r"^  gateway request \S+$", said, re.MULTILINE)
    assert said.endswith("all 2 ended as they must, by the path they must\n")
    assert "\x1b" not in said


def fails_saying(words: str, run_it: Callable[[tuple[str, str]], Child]) -> Child:
    """The run that ends so; on a machine that did not come so far in a short time it is given longer."""
    for seconds in ("7", "20", "60"):
        run = run_it(("--deadline", seconds))
        assert run.wait() == Exit.OTHERWISE, run.said() + run.complained()
        if words in run.said():
            return run
    raise AssertionError(run.said())


def test_a_receiver_that_takes_no_webhook_fails_it(demo: Demo) -> None:
    words = "webhook healthy: it is waiting, not completed; it is not over; 0 webhooks, not 1 to 9"
    fails_saying(words, lambda deadline: demo("--case", "webhook", *deadline, webhook_max_bytes="1024"))


def test_a_poller_that_gets_no_answer_fails_it(demo: Demo) -> None:
    run = fails_saying(
        "the provider fails it: it is not over",
        lambda deadline: demo("--case", "failed", *deadline, look_timeout_seconds="0.00001"),
    )
    assert "the reason is 'None'" in run.said()


def test_a_poller_that_dies_fails_it_with_the_end_of_its_log(demo: Demo) -> None:
    run = demo("--case", "two", fault_point="look.claimed")
    assert run.wait() == Exit.OTHERWISE
    assert "error: orchestrator ended by itself (signal 9)" in run.complained()
    assert "fault point reached: look.claimed" in run.complained()


def test_a_worker_that_dies_fails_it(demo: Demo) -> None:
    run = demo("--case", "webhook", fault_point="hand_off.claimed")
    assert run.wait() == Exit.OTHERWISE
    assert "fault point reached: hand_off.claimed" in run.complained()


def test_a_worker_that_creates_nothing_fails_it(demo: Demo) -> None:
    run = demo("--case", "webhook", "--deadline", "4", create_timeout_seconds="0.00001")
    assert run.wait() == Exit.OTHERWISE
    assert "1 of 1 did not go as they must" in run.said()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_when_it_is_interrupted_it_stops_what_it_started(
    demo: Demo, tmp_path: Path, sent: signal.Signals
) -> None:
    run = demo("--case", "polling")
    run.until_said("waiting: ")
    assert len(children_in(tmp_path / "scratch")) == 3
    os.kill(run.pid, sent)
    assert run.wait() == Exit.INTERRUPTED
    assert not children_in(tmp_path / "scratch")


def test_a_folder_with_other_files_is_not_emptied(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    run = demo()
    assert run.wait() == Exit.USAGE
    assert "holds files that no demo made" in run.complained()
    assert (tmp_path / "out" / "mine").exists()


def test_a_case_that_does_not_exist_is_named_with_those_that_do(demo: Demo) -> None:
    run = demo("--case", "sunshine")
    assert run.wait() == Exit.REFUSED
    assert "one of: webhook, polling, lost" in run.complained()
