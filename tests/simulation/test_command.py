"""`orchestrator simulate`: what it prints, and how a seed that broke something is seen again."""

import json

from typer.testing import CliRunner

from orchestrator.cli.program import app
from tests.simulation.planted.webhooks import follow_up_sent_before_commit


def simulate(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["simulate", *arguments])
    return done.exit_code, done.stdout


def test_seeds_that_break_nothing_end_with_0() -> None:
    code, printed = simulate("--seeds", "3", "--jobs", "1")
    assert code == 0
    assert "3 seeds" in printed
    assert "nothing broke" in printed


def test_json_tells_the_numbers() -> None:
    code, printed = simulate("--seeds", "2", "--first", "5", "--jobs", "1", "--json")
    assert code == 0
    told = json.loads(printed)
    assert told["ok"]
    assert told["seeds"] == 2
    assert told["steps"] > 20


def test_a_broken_promise_ends_with_1_and_the_command_that_shows_it_again() -> None:
    with follow_up_sent_before_commit():
        code, printed = simulate("--seeds", "3", "--jobs", "1")
        assert code == 1
        replay = next(line for line in printed.splitlines() if line.startswith("  orchestrator simulate"))
        again, trace = simulate(*replay.split()[2:])
    assert again == 1
    assert "BROKEN" in trace
    assert "sent_after_commit" in printed
    assert "sent_after_commit" in trace


def test_time_can_be_limited() -> None:
    code, printed = simulate("--seeds", "100000", "--seconds", "1", "--jobs", "1", "--json")
    assert code == 0
    assert json.loads(printed)["seeds"] < 1000


def test_a_trace_is_of_one_seed() -> None:
    code, _ = simulate("--trace")
    assert code == 2
