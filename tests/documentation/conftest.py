"""One sandbox and one `up` for the pages that need no more, and readers who follow pages."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.core.vault import new_key
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.processes import free_port
from tests.acceptance.sandbox import MANAGEMENT_KEY, Sandbox
from tests.documentation.place import Place
from tests.documentation.program import FASTER, HINT, Program
from tests.documentation.reader import Reader


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Our program, on a path."""
    return Program(tmp_path_factory.mktemp("program"))


@pytest.fixture(scope="session")
def deployed(ours: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A sandbox and an `up` on it, for every page that does not start its own."""
    folder = tmp_path_factory.mktemp("deployed")
    sandbox = Sandbox(folder, "sandbox", "--time-scale", str(5 * FASTER))
    up = Orchestrator(folder, sandbox.url, secret_keys=new_key(), hand_off_attempts=1)
    up.settings["ORCHESTRATOR_PUBLIC_URL"] = f"http://127.0.0.1:{up.port}"
    sandbox.call(up.receiver)
    up.start()
    port = int(sandbox.url.rpartition(":")[2].partition("/")[0])
    yield Place(folder, ours, up.port, port, up.settings | {"MANAGEMENT_KEY": MANAGEMENT_KEY})
    up.end()
    sandbox.end()


@pytest.fixture
def alone(ours: Program, tmp_path: Path) -> Place:
    """Nothing but the program: the page starts everything itself."""
    place = Place(tmp_path, ours, free_port(), free_port(), {"ORCHESTRATOR_POLL_AFTER_SECONDS": str(HINT)})
    place.environment["ORCHESTRATOR_PORT"] = str(place.up)
    return place


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[[Place, Path], Reader]]:
    """Lets a reader follow a page at a place."""
    readers: list[Reader] = []

    def read(place: Place, page: Path) -> Reader:
        folder = tmp_path / "reader"
        folder.mkdir()
        reader = Reader(folder, place.environment, place.instead())
        readers.append(reader)
        reader.follow(page)
        return reader

    yield read
    for reader in readers:
        reader.end()
