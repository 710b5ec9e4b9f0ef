"""`plan`: requests, lag and cost by each way, from a person's numbers or from what was learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.exits import Exit
from tests.integration.cli.conftest import Rows, Run
from tests.integration.cli.learned import learned_ends, learned_hooks

NINETY = [80.0 + number % 21 for number in range(400)]


def ways(run: Run, *options: object) -> dict[str, Any]:
    document = json.loads(run("plan", *options, "--json").out)
    return {one["way"]: one for one in document["ways"]}


def test_it_needs_no_key_and_no_database(run: Run, folder: Path) -> None:
    said = run("plan", "--durations", "90±8", "--jobs", 86_400, "--hook-loss", 0.02)
    assert said.code == Exit.OK, said.err
    assert not (folder / "data").exists()
    for words in (
        "1.00 a second",
        "webhooks at once, 2.0% of them lost",
        "guidance",
        "every 300 s",
        "learned",
    ):
        assert words in said.out, said.out
    assert "while nothing is heard of a job and it runs, a look at 1" in said.out
    assert "until then it follows the guidance" in said.out


def test_the_numbers_belong_together(run: Run) -> None:
    found = ways(
        run, "--durations", "normal:90:8", "--jobs", 1_000, "--within", "1h", "--net", 300, "--net", 60
    )
    assert list(found) == ["guidance", "every 300 s", "every 60 s", "learned"]
    for one in found.values():
        assert one["requests"] == pytest.approx(1_000 * one["requests_per_job"])
        assert one["requests_per_second"] == pytest.approx(one["requests"] / 3_600)
        assert one["cost_per_job"] == pytest.approx(20 * one["requests_per_job"] + one["lag_mean"])
        assert one["lag_p50"] <= one["lag_p95"] <= one["lag_p99"]
    assert found["learned"]["cost_per_job"] == min(one["cost_per_job"] for one in found.values())
    assert found["guidance"]["first_looks_at_age"] == pytest.approx([21, 42, 63, 84])


def test_the_worth_of_a_request_buys_lag_or_requests(run: Run) -> None:
    cheap, dear = (
        ways(run, "--durations", "lognormal:60:0.5", "--worth", worth)["learned"] for worth in (1, 100)
    )
    assert cheap["requests_per_job"] > dear["requests_per_job"]
    assert cheap["lag_mean"] < dear["lag_mean"]


def test_a_spacing_below_the_floor_is_the_floor(run: Run) -> None:
    assert "every 20 s" in ways(run, "--durations", "90", "--net", 5)


def test_late_webhooks_make_looks_worth_it(run: Run) -> None:
    late = ways(run, "--durations", "90±8", "--hook-delay", "uniform:0:300")["learned"]
    instant = ways(run, "--durations", "90±8", "--hook-loss", 0)["learned"]
    assert instant["requests_per_job"] < 0.01 < 0.9 < late["requests_per_job"]


def test_durations_come_from_a_file(run: Run, folder: Path) -> None:
    (folder / "took.txt").write_text("90\n95 # slow\n\n85\n")
    document = json.loads(run("plan", "--durations", "file:took.txt", "--json").out)
    assert document["mean_duration_seconds"] == pytest.approx(90, rel=0.03)
    (folder / "bytes").write_bytes(b"\xff\xfe\x00")
    for name in ("nowhere.txt", ".", "bytes"):
        said = run("plan", "--durations", f"file:{name}")
        assert (said.code, "cannot be read" in said.err) == (Exit.USAGE, True), said


def test_what_was_learned_is_taken_from_the_database(run: Run, rows: Rows) -> None:
    learned_ends(rows, NINETY)
    learned_ends(rows, [300.0 + number % 40 for number in range(100)], name="kling|slow|usual")
    learned_hooks(rows, ("1" * 49 + "0") * 10)
    said = run("plan", "--model", "m").out
    assert "m at google: 400 jobs ended" in said
    assert "500 webhooks were judged, 2.0% never came; the rule takes 2" in said
    assert "each runs 90 s" in said
    assert "until then" not in said
    assert "m at google" in run("plan", "--learned").out
    slow = run("plan", "--provider", "kling").out
    assert "slow at kling: 100 jobs ended" in slow
    assert "no webhooks were awaited" in slow


def test_webhooks_of_another_kind_can_be_assumed_for_what_was_learned(run: Run, rows: Rows) -> None:
    learned_ends(rows, NINETY)
    said = run("plan", "--model", "m", "--hook-loss", 0.5).out
    assert "50.0% of them lost" in said
    assert "400 jobs ended" in said


def test_a_model_of_which_nothing_is_known_is_refused_with_those_that_are(run: Run, rows: Rows) -> None:
    learned_ends(rows, NINETY)
    said = run("plan", "--model", "nobody")
    assert said.code == Exit.REFUSED
    assert "nothing was learned of nobody" in said.err
    assert "m at google" in said.err


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--durations", "90", "--model", "m"),
        ("--durations", "soon"),
        ("--durations", "90", "--within", "soon"),
        ("--durations", "90", "--hook-delay", "never"),
        ("--durations", "90", "--hook-loss", "1.5"),
        ("--durations", "90", "--jobs", "0"),
        ("--durations", "90", "--worth", "nan"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Run, folder: Path, options: tuple[str, ...]) -> None:
    said = run("plan", *options)
    assert (said.code, said.out) == (Exit.USAGE, "")
    assert "Traceback" not in said.err
