"""What a worker says of its destinations when it starts, and that none of them keeps it from starting."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.errors import DestinationError
from orchestrator.processes import worker


class Hanging:
    """A folder on a network file system that is away."""

    takes_files = True

    def __init__(self) -> None:
        self.over = threading.Event()

    def check(self) -> None:
        self.over.wait(10)


class Refusing:
    """A folder that says why it cannot be used."""

    takes_files = True

    def check(self) -> None:
        raise DestinationError("cannot write there", hint="mount it")


def test_each_that_fails_or_hangs_is_one_line_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "TRY_WITHIN", 0.05)
    hanging = Hanging()
    places = {"far": hanging, "shut": Refusing(), "here": SimpleNamespace(takes_files=True, check=int)}
    told = SimpleNamespace(takes_files=False, check=lambda: pytest.fail("a probe would be a message"))
    context: Any = SimpleNamespace(
        destinations={name: SimpleNamespace(sink=one) for name, one in [*places.items(), ("told", told)]},
        archive=SimpleNamespace(check=int),
        settings=SimpleNamespace(keep_outputs=True),
    )
    worker._try_destinations(context)
    hanging.over.set()
    said = {record.facts["destination"]: record for record in caplog.records}  # type: ignore[attr-defined]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert {record.message for record in caplog.records} == {"destination_away"}
    assert said["shut"].facts["hint"] == "mount it"  # type: ignore[attr-defined]
    assert "does not answer" in said["far"].facts["error"]  # type: ignore[attr-defined]
