"""What the benchmarks rely on by name, and would miss only when somebody runs them."""

from importlib import import_module

import pytest

from tests.benchmarks.cadence.processes import CONSTANTS, OF_WORKERS


@pytest.mark.parametrize("name", [*CONSTANTS, *OF_WORKERS])
def test_what_is_compressed_with_the_gateway_s_seconds_is_there(name: str) -> None:
    module, _, constant = name.rpartition(".")
    assert isinstance(getattr(import_module(f"orchestrator.{module}"), constant), float)
