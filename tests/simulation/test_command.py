"""`orchestrator simulate`: what it prints, and how a seed that broke something is seen again."""

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout

import pytest

from orchestrator.cli import simulate_page
from orchestrator.cli.program import command_line
from orchestrator.cli.simulate_page import Report
from orchestrator.simulation.world import Outcome
from tests.simulation.planted.webhooks import follow_up_sent_before_commit


def simulate(*arguments: str) -> tuple[int, str]:
    printed = io.StringIO()
    with redirect_stdout(printed), pytest.raises(SystemExit) as ended:
        command_line(["simulate", *arguments])
    return int(ended.value.code or 0), printed.getvalue()


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


def test_only_time_limits_it_where_no_number_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[int] = []

    def run_seeds(seeds: range, **_: object) -> Report:
        wanted.append(len(seeds))
        return Report(len(seeds), seeds=1)

    monkeypatch.setattr(simulate_page, "run_seeds", run_seeds)
    for arguments in ([], ["--seconds", "60"], ["--seconds", "60", "--seeds", "5"]):
        simulate(*arguments)
    assert wanted == [1000, simulate_page.WITHOUT_LIMIT, 5]


def test_a_run_that_finished_no_seed_is_no_good_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object, **__: object) -> Iterator[Outcome]:
        yield from ()

    monkeypatch.setattr(simulate_page, "simulate_many", nothing)
    code, printed = simulate("--seconds", "1")
    assert code == 1
    assert "no seed came to its end" in printed


def test_a_trace_is_of_one_seed() -> None:
    code, _ = simulate("--trace")
    assert code == 2
