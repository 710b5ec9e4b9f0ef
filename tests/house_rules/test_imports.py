"""What parts of the product may import at all, beyond the order of the layers that import-linter holds."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house_rules.parsed import nodes_of

ROOT = Path(__file__).parents[2]
GATEWAY_CLIENT = ["aiohttp", "httpx", "rich", "websockets"]  # httpx brings rich, for a program of its own
NOT_AT_THE_START = ["alembic", "obstore", "opentelemetry.sdk.trace"]


def imports_of(*places: str) -> Iterator[tuple[str, str]]:
    """Each (file, module) imported below the given places, wherever in the file it is."""
    for place in places:
        path = ROOT / place
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            for node in nodes_of(file):
                if isinstance(node, ast.Import):
                    yield from ((str(file.relative_to(ROOT)), name.name) for name in node.names)
                elif isinstance(node, ast.ImportFrom):
                    yield str(file.relative_to(ROOT)), node.module or "."


def is_within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def test_the_sandbox_shares_no_code_with_the_product() -> None:
    strays = {
        (file, module)
        for file, module in imports_of("orchestrator/sandbox")
        if is_within(module, "orchestrator")
        and not is_within(module, "orchestrator.sandbox", "orchestrator.errors")
    }
    assert not strays


def test_the_core_touches_no_outside_thing() -> None:
    allowed = (*sys.stdlib_module_names, "cryptography", "numpy", "orchestrator.core", "orchestrator.errors")
    assert not {found for found in imports_of("orchestrator/core") if not is_within(found[1], *allowed)}


def test_the_lifecycle_needs_nothing_but_the_standard_library() -> None:
    found = imports_of("orchestrator/core/lifecycle.py")
    assert not {module for _, module in found if not is_within(module, *sys.stdlib_module_names)}


@pytest.mark.parametrize(
    ("process", "unwanted"),
    [
        # The gateway's client comes with the first request to it, in whatever process that is.
        ("up", [*GATEWAY_CLIENT, *NOT_AT_THE_START, "psycopg", "redis"]),
        ("worker", [*GATEWAY_CLIENT, *NOT_AT_THE_START, "fastapi", "jinja2", "limits", "uvicorn"]),
        ("web", [*GATEWAY_CLIENT, *NOT_AT_THE_START, "numpy", "ulid"]),
        (
            "beat",
            [*GATEWAY_CLIENT, *NOT_AT_THE_START, "cryptography", "numpy", "psycopg", "sqlalchemy", "ulid"],
        ),
    ],
)
def test_a_process_loads_nothing_large_that_it_does_not_use(process: str, unwanted: list[str]) -> None:
    script = f"import sys, orchestrator.processes.{process}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert not {*loaded.stdout.split()} & {*unwanted}
