"""A client, and a server that answers what a test tells it to."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from orchestrator.client import Client, Surroundings
from tests.integration.client.server import ScriptedServer

KEY = "hjo_k7_a-key-that-nobody-may-see"


@dataclass
class Pauses:
    """A clock that moves when somebody sleeps, at once."""

    now: float = 1_000.0
    taken: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)
        self.now += seconds


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as scripted:
        yield scripted


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def client(server: ScriptedServer, pauses: Pauses) -> Iterator[Client]:
    made = iter(range(1, 1_000))
    around = Surroundings(
        clock=lambda: pauses.now,
        sleep=pauses.sleep,
        chance=lambda: 0.0,
        new_key=lambda: f"made-{next(made)}",
    )
    with Client(server.url, KEY, around=around) as client:
        yield client
