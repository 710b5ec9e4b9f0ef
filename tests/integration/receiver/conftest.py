"""The receiver over real HTTP, on a fresh store, with the gateway out of reach."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import fault_points
from tests.integration.receiver.door import Door


@pytest.fixture
def closed_door(tmp_path: Path) -> Iterator[Door]:
    """A receiver without a socket."""
    door = Door(tmp_path)
    yield door
    door.engine.close()


@pytest.fixture
def door(closed_door: Door) -> Iterator[Door]:
    closed_door.open()
    yield closed_door
    closed_door.close()


@pytest.fixture(autouse=True)
def no_fault_point_stays_armed() -> Iterator[None]:
    yield
    fault_points.arm("submit.committed:1000000", lambda _: None)
