"""`check` and `migrate`: what would not work, said without starting anything."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.exits import Exit
from orchestrator.processes.lock import exclusive
from orchestrator.settings import Settings
from orchestrator.store.migrate import HEAD
from orchestrator.store.schema import tenants
from tests.acceptance.sandbox import API_KEY, ENDPOINT_ID, SECRET, Sandbox
from tests.integration.cli.conftest import Rows, Run
from tests.ports import free_port


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path_factory.mktemp("sandbox"), "sandbox")
    yield made
    made.end()


def findings(run: Run) -> dict[str, Any]:
    return {one["what"]: one for one in json.loads(run("check", "--json").out)}


def test_on_a_fresh_machine_only_what_is_optional_is_missing(run: Run) -> None:
    found = {name: one["status"] for name, one in findings(run).items()}
    assert found == {
        "settings": "ok",
        "database": "ok",
        "output folder": "ok",
        "archive": "ok",
        "gateway": "warn",
        "webhooks": "warn",
        "port": "ok",
    }
    assert run("check").code == Exit.OK


def test_a_whole_set_up_is_all_right(
    run: Run, rows: Rows, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_URL", sandbox.url)
    monkeypatch.setenv("PHASEO_API_KEY", API_KEY)
    monkeypatch.setenv("ORCHESTRATOR_WEBHOOK_ENDPOINT_ID", ENDPOINT_ID)
    monkeypatch.setenv("ORCHESTRATOR_WEBHOOK_SECRETS", f"{SECRET},another")
    found = findings(run)
    assert {one["status"] for one in found.values()} == {"ok"}
    assert found["webhooks"]["found"].endswith("2 secrets")
    assert [one["query"] for one in sandbox.requests(path="/v1/videos")] == ["limit=1"]


def test_limits_that_are_set_are_told_those_of_a_single_tenant_too(
    run: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "limits" not in findings(run)
    with rows.context.store.write() as tx:
        tx.execute(tenants.update().values(spend_cap_usd=40))
    assert findings(run)["limits"]["found"] == "tenant default: at most US$ 40.00 in 30 days"
    monkeypatch.setenv("ORCHESTRATOR_MAX_OPEN_JOBS", "12")
    monkeypatch.setenv("ORCHESTRATOR_SPEND_WINDOW_DAYS", "7")
    found = findings(run)["limits"]
    assert (found["status"], found["found"]) == (
        "ok",
        "each tenant: at most 12 open jobs, any cost; tenant default: at most US$ 40.00 in 7 days",
    )


@pytest.mark.parametrize(
    ("name", "value", "what", "words"),
    [
        ("OUTPUT_DIR", "a-file", "output folder", "a-file"),
        ("OUTPUT_DIR", "a-file/outputs", "output folder", "cannot be made"),
        ("DATA_DIR", "a-file/data", "database", "cannot be made"),
        ("DATABASE_URL", "mysql://x/y", "settings", "ORCHESTRATOR_DATABASE_URL"),
        ("GATEWAY_URL", "https://localhost:99999/v1", "settings", "ORCHESTRATOR_GATEWAY_URL"),
        ("GATEWAY_API_KEY", "phaseo_v1_sk_wrong", "gateway", "key"),
        ("WEBHOOK_ENDPOINT_ID", ENDPOINT_ID, "settings", "ORCHESTRATOR_WEBHOOK_SECRETS is empty"),
        ("PORT", "70000", "settings", "ORCHESTRATOR_PORT"),
        ("POTR", "1", "settings", "unknown setting ORCHESTRATOR_POTR"),
        ("HOST", "203.0.113.1", "port", "cannot listen on 203.0.113.1:"),
    ],
)
def test_what_would_not_work_is_named_with_what_to_do(
    run: Run,
    folder: Path,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    what: str,
    words: str,
) -> None:
    (folder / "a-file").touch()
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_URL", sandbox.url)
    monkeypatch.setenv(f"ORCHESTRATOR_{name}", value)
    finding = findings(run)[what]
    assert finding["status"] == "fail"
    assert words in finding["found"]
    assert finding["hint"]
    said = run("check")
    assert said.code == Exit.OTHERWISE
    assert finding["hint"] in said.out


def test_a_taken_port_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("ORCHESTRATOR_PORT", str(port))
        found = findings(run)["port"]
    assert found["found"] == f"cannot listen on 127.0.0.1:{port}: Address already in use"


def test_a_gateway_that_is_not_there_is_said_to_be(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_API_KEY", API_KEY)
    assert findings(run)["gateway"]["status"] == "fail"


def test_checking_makes_nothing_and_says_what_the_start_will_make(run: Run, folder: Path) -> None:
    found = findings(run)
    assert found["database"]["found"] == f"{folder}/data/orchestrator.db is made at the first start"
    assert found["output folder"]["found"] == f"{folder}/outputs is made at the first start"
    assert not list(folder.iterdir())


def test_a_folder_that_is_there_is_tried_and_left_as_it_was(run: Run, folder: Path) -> None:
    (folder / "outputs").mkdir()
    assert findings(run)["output folder"]["found"] == str(folder / "outputs")
    assert not list((folder / "outputs").iterdir())


@pytest.mark.parametrize(
    "url", ["notaurl-hunter2", "postgresql://me:hunter2@host", "sqlite://", "mysql://hunter2@x/y"]
)
@pytest.mark.parametrize("command", [["jobs"], ["submit", "fox", "-m", "m"], ["up"], ["migrate"]])
def test_a_bad_database_url_is_refused_by_name_and_not_repeated(
    run: Run, monkeypatch: pytest.MonkeyPatch, url: str, command: list[str]
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", url)
    said = run(*command)
    assert said.code == Exit.USAGE
    assert said.err.startswith("error: ORCHESTRATOR_DATABASE_URL: ")
    assert "hunter2" not in said.out + said.err


def test_every_setting_is_listed_with_its_origin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_API_KEY", API_KEY)
    listed = json.loads(run("check", "--settings", "--json").out)
    assert [one["name"] for one in listed] == [
        f"ORCHESTRATOR_{name.upper()}" for name in Settings.model_fields
    ]
    by_name = {one["name"]: one for one in listed}
    assert by_name["ORCHESTRATOR_GATEWAY_API_KEY"]["value"] == "**********"
    assert by_name["ORCHESTRATOR_PORT"]["origin"] == "environment"
    assert by_name["ORCHESTRATOR_POLL_AFTER_SECONDS"] == {
        "name": "ORCHESTRATOR_POLL_AFTER_SECONDS",
        "value": "20.0",
        "origin": "default",
        "description": "Seconds between looks where the gateway gives no guidance.",
    }


def test_settings_are_listed_even_when_one_is_wrong(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_PORT", "many")
    assert "ORCHESTRATOR_PORT=many  (environment)" in run("check", "--settings").out


def test_migrate_says_from_where_to_where(run: Run) -> None:
    assert run("migrate").out == f"the database went from nothing to revision {HEAD}\n"
    assert run("migrate").out == f"the database is at revision {HEAD} already\n"
    assert json.loads(run("migrate", "--json").out) == {"from": HEAD, "to": HEAD, "changed": False}


def test_migrate_does_not_touch_a_database_that_an_orchestrator_runs_on(run: Run, folder: Path) -> None:
    database = folder / "data" / "orchestrator.db"
    database.parent.mkdir()
    with exclusive(database):
        said = run("migrate")
        assert said.code == Exit.STORE
        assert f"(process {os.getpid()}) is running on {database}" in said.err
        assert not database.exists()
    assert run("migrate").code == Exit.OK


def test_a_database_that_cannot_be_made_is_named(run: Run, folder: Path) -> None:
    (folder / "data").write_text("in the way")
    assert run("migrate").code in (Exit.USAGE, Exit.STORE)
    assert "data" in run("migrate").err
    assert (folder / "data").is_file()
