"""Thousands of worlds are run by `make soak`; these are the first of them."""

import json
import multiprocessing
import os
import subprocess
import sys

import pytest

from orchestrator.errors import OrchestratorError
from orchestrator.simulation.chance import Fault
from orchestrator.simulation.run import simulate, simulate_many
from orchestrator.simulation.world import Outcome

SEEDS = range(1, 101)


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """They take ten seconds to make: tests/order.py keeps these tests in one process."""
    return [simulate(seed, traced=True) for seed in SEEDS]


def traces(outcomes: list[Outcome]) -> str:
    return "\n".join(line for outcome in outcomes for line in outcome.trace or ())


def test_nothing_breaks(outcomes: list[Outcome]) -> None:
    assert not [f"seed {one.seed}: {one.violation}" for one in outcomes if one.violation]


def test_every_fault_happens_somewhere(outcomes: list[Outcome]) -> None:
    happened = {line.split()[2] for line in traces(outcomes).splitlines() if line.split()[1] == "fault"}
    assert set(Fault) == happened


def test_jobs_end_in_every_way(outcomes: list[Outcome]) -> None:
    told = traces(outcomes)
    for state in ("completed", "failed", "cancelled", "expired", "rejected", "timed_out", "uncertain"):
        assert f" {state} " in told
    for state in ("done", "missing", "withdrawn"):
        assert f" {state} " in told


def test_a_seed_gives_the_same_again() -> None:
    for seed in (2, 3, 5):
        assert simulate(seed, traced=True) == simulate(seed, traced=True)


def test_a_seed_does_not_care_what_ran_before_or_beside_it() -> None:
    alone = {seed: simulate(seed) for seed in (7, 8, 9, 10)}
    beside = {one.seed: one for one in simulate_many([10, 9, 8, 7], processes=2)}
    assert alone == beside


def test_a_process_that_dies_ends_the_run() -> None:
    outcomes = simulate_many(range(1, 10_000), processes=2)
    next(outcomes)
    for process in multiprocessing.active_children():
        process.kill()
    with pytest.raises(OrchestratorError, match="a process that ran seeds died"):
        list(outcomes)


def test_a_seed_gives_the_same_in_every_process() -> None:
    def traced(hash_seed: str) -> object:
        command = [sys.executable, "-m", "orchestrator.cli", "simulate", "--seed", "4", "--trace", "--json"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        return json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)

    first = traced("1")
    assert first == traced("2")
    assert isinstance(first, dict)
    assert first["trace"] == simulate(4, traced=True).trace
