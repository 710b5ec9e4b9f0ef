"""What the page of the comparison says follows from what was measured."""

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.peers import others, page
from tests.benchmarks.peers.goals import goals
from tests.benchmarks.peers.rows import QUICK, RUNS, Row, Run, Work, keep, kept
from tests.benchmarks.peers.summary import results

PLAIN, KILLED = Work(500, 3.0, 9.0, "plain"), Work(200, 3.0, 9.0, "killed")


def run(system: str, number: int = 1, work: Work = PLAIN, **measured: Any) -> Run:
    given: dict[str, Any] = {
        "handed_off": work.jobs,
        "lost": 0,
        "doubled": 0,
        "p50": 10.0,
        "p99": 100.0,
        "most": 200.0,
        "accepted_per_second": 500.0,
        "looks_per_job": 0.5,
        "processor": {"own": 1.0, "servers": 1.0, "world": 1.0},
        "versions": {"Python": "3.11.7"},
        "machine": "2 cores",
        "load": 0.1,
        "additions": 50.0,
    }
    row = Row(system, work.jobs, work.shortest, work.longest, work.condition)
    return Run(row, number, given | measured)


def judged(*runs: Run) -> dict[str, bool]:
    return {goal.what: goal.reached for goal in goals(results(runs))}


def test_a_goal_is_judged_by_medians_against_the_best_of_those_it_is_about() -> None:
    ours = [run("ours", number, p50=p50, p99=50.0) for number, p50 in enumerate((5.0, 21.0, 999.0), 1)]
    peers = [run("celery", p50=11.0), run("dbos", p50=20.0, p99=300.0), run("awa", p50=300.0, p99=250.0)]
    found = {what.partition(": ")[2]: reached for what, reached in judged(*ours, *peers).items()}
    assert found == {
        "p50, ms; the quickest durable peer's": False,  # 21 against 20
        "p50, ms; twice plain Celery's": True,  # 21 against 22
        "p99, ms; a fifth of the best durable peer's": True,  # 50 against 50
        "processor, s; 0.6 of the best durable peer's": False,
        "accepted a second; the best peer's": True,
    }


def test_after_a_kill_one_bad_run_counts_and_a_peer_that_lost_all_is_not_sooner() -> None:
    ours = [run("ours", 1, KILLED), run("ours", 2, KILLED, lost=1, handed_off=199)]
    peers = [
        run("celery", 1, KILLED, lost=200, handed_off=0, p50=None, p99=None),
        run("restate", 1, KILLED, p50=11.0),
    ]
    found = {what.partition(": ")[2]: reached for what, reached in judged(*ours, *peers).items()}
    assert found == {
        "handed off, the worst run": False,
        "handed off more than once, the worst run": True,
        "p50, ms; the soonest peer's": True,
        "p99, ms; the soonest peer's": True,
    }


def test_runs_are_kept_and_one_that_was_being_written_is_none(tmp_path: Path) -> None:
    file = tmp_path / "kept" / "runs.jsonl"
    for number in (1, 2):
        keep(file, run("ours", number))
    file.write_text(file.read_text().rstrip("\n")[:-5])
    assert [one.number for one in kept(file)] == [1]


@pytest.mark.parametrize("runs", [[], [run("ours"), run("celery", p50=None, p99=None, most=None)]])
def test_the_page_is_whole_whatever_was_measured(runs: list[Run]) -> None:
    said: dict[str, dict[str, Any]] = {
        "looks": {"ratio": 0.81, "goal": 0.8},
        "million": {"goals": {"s, start of web": [6.0, 5.0]}},
        "receiver": {"ratio": 0.59, "goal": 0.6, "ratios": {"bare receiver": [0.5, 0.6]}},
        "submit": {"columns": ["jobs a second"], "ways": {"HTTP, one by one": ["963"]}},
    }
    text = page.text(runs, said if runs else {}, {"awa": "no wheel"})
    assert "@" not in text.replace("tests/benchmarks", "")
    assert "missing on this machine: no wheel" in text
    goal = "| `looks`: in proportion to the bare one | at least 0.80 | 0.81 | reached |"
    assert (goal in text) is bool(runs)
    goal = "| `receiver`: in proportion to the bare one | at least 0.60 | 0.59 | **not reached** |"
    assert (goal in text) is bool(runs)
    assert ("| HTTP, one by one | 963 |" in text) is bool(runs)
    assert ("| to the bare receiver | 0.55 (0.50 to 0.60) |" in text) is bool(runs)
    assert ("| `million`: s, start of web | at most 5.00 | 6.00 | **not reached** |" in text) is bool(runs)


def test_the_page_of_this_checkout_says_what_is_kept_with_it() -> None:
    made = page.text(list(kept(page.MEASURED / RUNS)), others.kept(page.MEASURED), {})
    assert made == page.PAGE.read_text(), "python -m tests.benchmarks.peers --page writes it, see `--kept`"


def test_a_page_is_kept_with_what_it_is_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(page, "MEASURED", tmp_path / "measured")
    for file in (RUNS, QUICK):
        keep(tmp_path / "kept" / file, run("ours"))
    page.write(tmp_path / "kept", {})
    assert [one.name for one in (tmp_path / "measured").iterdir()] == [RUNS]
    page.write(tmp_path / "measured", {})
    assert [one.row.system for one in kept(tmp_path / "measured" / RUNS)] == ["ours"]
    assert "2 cores" in (tmp_path / "page.md").read_text()
