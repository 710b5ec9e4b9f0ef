"""One sandbox for the whole folder, as new for each test; engines with a fresh store each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import fault_points
from tests.integration.engine.harness import Engine, NewEngine
from tests.sandbox.harness import Receiver, Sandbox


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    running_sandbox.reset()
    return running_sandbox


@pytest.fixture
def hooks() -> Iterator[Receiver]:
    """Catches webhooks, to be taken by the test when it wants."""
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def new_engine(tmp_path: Path, sandbox: Sandbox) -> Iterator[NewEngine]:
    """Makes engines; options are settings."""
    made: list[Engine] = []

    def make(**settings: object) -> Engine:
        folder = tmp_path / f"engine-{len(made)}"
        folder.mkdir()
        made.append(Engine(folder, **{"gateway_url": sandbox.url} | settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for engine in made:
        engine.close()


@pytest.fixture
def engine(new_engine: NewEngine) -> Engine:
    """An engine that polls."""
    return new_engine()


@pytest.fixture
def hooked(new_engine: NewEngine, sandbox: Sandbox, hooks: Receiver) -> Engine:
    """An engine whose jobs tell `hooks`."""
    endpoint = sandbox.endpoint(hooks.url)
    return new_engine(webhook_endpoint_id=endpoint["id"], webhook_secrets=endpoint["signing_secret"])


@pytest.fixture(autouse=True)
def no_fault_point_stays_armed() -> Iterator[None]:
    yield
    fault_points.arm("submit.committed:1000000", lambda _: None)
