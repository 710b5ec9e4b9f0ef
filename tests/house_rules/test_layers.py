"""Where SQL may be written, and who may know what; the order of the layers is import-linter's."""

import ast
from pathlib import Path

from tests.house_rules.parsed import nodes_of
from tests.house_rules.test_imports import ROOT, imports_of, is_within

CODE = ROOT / "orchestrator"
PLACES = sorted(f"orchestrator/{path.name}" for path in CODE.iterdir() if path.name != "__pycache__")
VERBS = ("SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TABLE ", "ALTER TABLE ", "DROP TABLE ")


def everywhere_but(*places: str) -> list[str]:
    return [place for place in PLACES if place not in {f"orchestrator/{name}" for name in places}]


def importers(*modules: str, outside: str) -> set[str]:
    """The files, outside of that place, that import one of these modules."""
    return {file for file, module in imports_of(*everywhere_but(outside)) if is_within(module, *modules)}


def test_only_the_store_knows_sqlalchemy_and_alembic() -> None:
    assert not importers("sqlalchemy", "alembic", outside="store")


def test_only_the_process_on_the_file_looks_at_sqlite_past_the_store() -> None:
    assert not {file for file in importers("sqlite3", outside="store") if "/processes/" not in file}


def test_no_sql_is_written_outside_the_store() -> None:
    strays = []
    for file in (file for place in everywhere_but("store") for file in files(ROOT / place)):
        for node in nodes_of(file):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                strays += [(file.name, node.value) for verb in VERBS if node.value.startswith(verb)]
    assert not strays


def test_only_the_gateways_client_speaks_http_to_it() -> None:
    # The sandbox and its users; our API's client; destinations, of which `sinks/network.py` has the rules.
    apart = tuple(f"orchestrator/{place}/" for place in ("sandbox", "demo", "cli", "sinks", "client"))
    spoken = importers("httpx", "aiohttp", "websockets", outside="gateway")
    assert not {file for file in spoken if not file.startswith(apart)}


def test_only_one_place_makes_the_client_that_calls_destinations() -> None:
    spoken = {file for file, module in imports_of("orchestrator/sinks") if is_within(module, "httpx_aiohttp")}
    assert spoken == {"orchestrator/sinks/network.py"}
    for file in files(CODE / "sinks"):
        made = {"AsyncClient(", "ClientSession(", "TCPConnector("} & {
            f"{node.func.attr}("
            for node in nodes_of(file)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert not made or file.name == "network.py"


def test_only_the_doors_and_what_starts_them_know_celery() -> None:
    known = importers("celery", "kombu", outside="tasks")
    assert known <= {
        "orchestrator/celery_app.py",
        "orchestrator/processes/beat.py",
        "orchestrator/processes/up.py",
        "orchestrator/processes/workers.py",
    }


def test_the_engine_knows_no_door() -> None:
    doors = ("starlette", "uvicorn", "typer", "rich", "celery", "orchestrator.web", "orchestrator.tasks")
    assert not {found for found in imports_of("orchestrator/engine") if is_within(found[1], *doors)}


def files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))
