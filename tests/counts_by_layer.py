"""A pytest plugin: counts the tests by folder of `tests/`, and what they take; one skipped may fail the run.

What is left to `make soak` is named.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import pytest

LEFT = "left_to_soak"
SLOWEST = 25  # files that are named
LONG = 60  # seconds after which it is of interest
_left = pytest.StashKey[set[str]]()
OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_left] = set()


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("soak") and not item.config.getoption("--soak"):
            item.config.stash[_left].add(item.nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Each xdist worker collects everything, and tells at its end what it left out."""
    node.config.stash[_left] |= set(getattr(node, "workeroutput", {}).get(LEFT, ()))


def _reports(config: pytest.Config, outcome: str) -> list[pytest.TestReport]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return reporter.stats.get(outcome, []) if reporter else []


def _skipped_against_the_rules(config: pytest.Config) -> list[pytest.TestReport]:
    return _reports(config, "skipped") if config.getoption("--no-skips") else []


def _left_to_soak(config: pytest.Config) -> list[str]:
    names: set[str] = config.stash[_left]
    return sorted(names)


def _seconds(config: pytest.Config) -> tuple[dict[str, float], dict[str, float]]:
    """What each layer and each file took, with all that stood around its tests; workers are added up."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    layers: dict[str, float] = defaultdict(float)
    files: dict[str, float] = defaultdict(float)
    for report in (one for some in reporter.stats.values() for one in some) if reporter else ():
        if isinstance(report, pytest.TestReport):
            layers[_layer(report)] += report.duration
            files[report.nodeid.partition("::")[0]] += report.duration
    return layers, files


def _layer(report: pytest.TestReport) -> str:
    folders = PurePosixPath(report.nodeid.partition("::")[0]).parts
    return folders[1] if len(folders) > 2 else "tests"


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[LEFT] = _left_to_soak(session.config)
    if session.exitstatus == pytest.ExitCode.OK and _skipped_against_the_rules(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts: dict[str, Counter[str]] = {}
    for outcome in OUTCOMES:
        for report in _reports(config, outcome):
            counts.setdefault(_layer(report), Counter())[outcome] += 1
    layers, files = _seconds(config)
    terminalreporter.section("tests by layer")
    for layer, outcomes in sorted(counts.items()):
        told = ", ".join(f"{n} {name}" for name, n in outcomes.items())
        terminalreporter.line(f"{layer:<14}{told}, {layers[layer]:.0f} s")
    slowest = sorted(files.items(), key=lambda one: one[1], reverse=True)[:SLOWEST]
    for file, seconds in slowest if sum(files.values()) > LONG else ():
        terminalreporter.line(f"    {seconds:4.0f} s  {file}")
    left = _left_to_soak(config)
    if left:
        terminalreporter.line(f"not run, since it takes minutes: {len(left)}; `make soak` does, or --soak 3")
    for nodeid in left:
        terminalreporter.line(f"    {nodeid}")
    for report in _skipped_against_the_rules(config):
        terminalreporter.line(f"skipped, which fails the run: {report.nodeid}", red=True)
