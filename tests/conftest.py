"""What holds for every test."""

import gc
import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer

from tests.forked import client as forked
from tests.order import Together, spread

ACCEPTANCE = Path(__file__).with_name("acceptance")
BROWSER = Path(__file__).with_name("browser")
pytest_plugins = ("tests.servers.fixtures", "tests.servers.object_stores")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--soak",
        type=float,
        default=0.0,
        metavar="MINUTES",
        help="faults last as long as in life, so many minutes at most; without it they last seconds",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: takes minutes, and runs only with --soak")
    # A process full of tests has much to look through for garbage, and little is.
    gc.set_threshold(50_000)
    # How long an example takes says something about the machine, not about the code.
    hypothesis.settings.register_profile(
        "anywhere", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("anywhere")
    forked.wanted.set()
    # A shell lets what it starts in the background ignore SIGINT, and so would all that we start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together | None:
    """Where tests are spread over processes as usual."""
    return Together(config, log) if config.getoption("dist") == "load" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    slow = [item for item in items if ACCEPTANCE in item.path.parents]
    longest = [
        item for item in items if BROWSER in item.path.parents
    ]  # all in one process, so from the start
    others = [item for item in items if not {ACCEPTANCE, BROWSER} & {*item.path.parents}]
    items[:] = longest + spread(slow, others, lambda item: item.path)
    _leave_out_what_takes_minutes(config, items)


def _leave_out_what_takes_minutes(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Left out, not skipped: without --soak there is nothing amiss when these do not run."""
    if config.getoption("--soak"):
        return
    left_out = [item for item in items if item.get_closest_marker("soak")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def soak(pytestconfig: pytest.Config) -> float:
    """Seconds that a fault may last; 0: no longer than it takes to show."""
    return 60.0 * float(pytestconfig.getoption("--soak"))


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A test that reads settings, or runs a command in this process, configures logging for all after it."""
    root, ours = logging.getLogger(), logging.getLogger("orchestrator")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])
