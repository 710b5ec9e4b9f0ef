"""Two sandboxes for the whole folder, one in real time and one sped up; each test finds them as new."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.harness import Receiver, Sandbox, Start

SPEED = 600  # a five-minute tick is half a second


def _running(*options: str) -> Iterator[Sandbox]:
    sandbox = Sandbox(*options)
    yield sandbox
    assert sandbox.stop() == "", "the sandbox wrote to stderr"


@pytest.fixture(scope="session")
def real_time() -> Iterator[Sandbox]:
    yield from _running()


@pytest.fixture(scope="session")
def sped_up() -> Iterator[Sandbox]:
    yield from _running("--time-scale", str(SPEED))


@pytest.fixture
def sandbox(real_time: Sandbox) -> Sandbox:
    """A sandbox in real time."""
    real_time.reset()
    return real_time


@pytest.fixture
def fast(sped_up: Sandbox) -> Sandbox:
    """A sandbox six hundred times as fast."""
    sped_up.reset()
    return sped_up


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def endpoint(fast: Sandbox, receiver: Receiver) -> dict[str, Any]:
    return fast.endpoint(receiver.url)


@pytest.fixture
def job(fast: Sandbox, endpoint: dict[str, Any]) -> Start:
    """Makes jobs that tell the receiver; they end after a fifth of a real second unless said otherwise."""
    return _starter(fast, endpoint)


@pytest.fixture
def slow_endpoint(sandbox: Sandbox, receiver: Receiver) -> dict[str, Any]:
    """The receiver at the sandbox in real time."""
    return sandbox.endpoint(receiver.url)


@pytest.fixture
def slow_job(sandbox: Sandbox, slow_endpoint: dict[str, Any]) -> Start:
    """The same in real time: no tick comes while a test looks."""
    return _starter(sandbox, slow_endpoint)


def _starter(sandbox: Sandbox, endpoint: dict[str, Any]) -> Start:
    def start(events: list[str] | None = None, model: str = "google/veo", **switches: Any) -> str:
        webhook = {"endpoint_id": endpoint["id"]} | ({"events": events} if events else {})
        return sandbox.create({"webhook": webhook, "model": model}, **{"duration": 120, **switches})

    return start
