"""What `up` has loaded when it says that it is ready, and not only what its modules name."""

import subprocess
from pathlib import Path

from tests.acceptance.processes import clean_environment, program

LARGE = {"aiohttp", "alembic", "httpx", "obstore", "psycopg", "redis", "rich", "websockets"}


def until_started(folder: Path) -> set[str]:
    """Every module that is loaded by then."""
    environment = clean_environment(
        ORCHESTRATOR_DATA_DIR=str(folder / "data"),
        ORCHESTRATOR_OUTPUT_DIR=str(folder / "outputs"),
        ORCHESTRATOR_GATEWAY_API_KEY="k",
        ORCHESTRATOR_GATEWAY_URL="http://127.0.0.1:9/v1",
        PYTHONPROFILEIMPORTTIME="1",
    )
    command = program("up", "--port", "0")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as up:
        assert up.stdout is not None
        loaded = set()
        for line in up.stdout:
            if line.startswith("import time:"):
                loaded.add(line.rpartition("|")[2].strip())
            elif '"started"' in line:
                break
        up.terminate()
        up.stdout.read()
    return loaded


def test_up_loads_neither_the_gateway_s_client_nor_migrations_before_it_needs_them(tmp_path: Path) -> None:
    assert "alembic" in until_started(tmp_path), "it makes the database"
    loaded = until_started(tmp_path)
    assert "uvicorn" in loaded
    assert not loaded & LARGE
