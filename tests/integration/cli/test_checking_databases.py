"""`check` and `migrate`: a database that cannot be used, is of another version, or in the wrong place."""

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from orchestrator.cli.database_checks import _filesystem
from orchestrator.cli.exits import Exit
from orchestrator.processes.lock import exclusive
from orchestrator.store.database import Store
from orchestrator.store.migrate import HEAD
from tests.integration.cli.conftest import Rows, Run
from tests.integration.cli.found import findings
from tests.patience import LONG
from tests.servers.fixtures import NewDatabase


def test_a_database_that_takes_connections_and_says_nothing_holds_up_no_other_check(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.cli.checks.WITHIN", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/none"
        monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", url)
        found = findings(run)
    assert found["database"]["found"] == "nothing more came of it within 1 s"
    assert found["output folder"]["status"] == "ok"


def test_a_database_that_a_newer_version_wrote_and_one_that_is_behind_are_told_apart(
    run: Run, rows: Rows
) -> None:
    for revision, status in (("9999", "fail"), ("0001", "warn")):
        with rows.context.store.write() as tx:
            tx.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
        assert findings(run)["database"]["status"] == status


def test_postgresql_is_asked_for_its_revision_and_its_clock(
    run: Run, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", new_database(migrated=False))
    assert findings(run)["database"]["found"].startswith("the configured one is at revision none")
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", new_database())
    found = findings(run)
    assert found["database"]["found"] == f"the configured one, revision {HEAD}"
    assert "clock" not in found
    monkeypatch.setattr("orchestrator.wiring.wall_clock", lambda: time.time() - 1000)
    assert re.fullmatch(r"this clock is \d+ s behind the database's", findings(run)["clock"]["found"])


def test_the_kind_of_a_filesystem_is_read_from_the_nearest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n")
    assert _filesystem(tmp_path / "data" / "orchestrator.db", mounts) == "nfs4"
    assert _filesystem(Path("/etc/hosts"), mounts) == "ext4"
    assert _filesystem(Path("/etc/hosts"), tmp_path / "none") == ""


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


def test_migrate_says_from_where_to_where(run: Run) -> None:
    assert run("migrate").out == f"created the tables, at revision {HEAD}\n"
    assert run("migrate").out == f"the database is already at revision {HEAD}\n"
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


def test_a_folder_that_may_not_be_entered_is_told_and_ends_no_check(run: Run, folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "orchestrator.db").touch()
    (folder / "data").chmod(0o000)
    program = [*clean_of_rights(), sys.executable, "-m", "orchestrator.cli", "check", "--json"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=LONG, check=False)
    (folder / "data").chmod(0o700)
    assert done.returncode == Exit.OTHERWISE, done
    found = {one["what"]: one for one in json.loads(done.stdout)}
    assert found["database"]["status"] == "fail"
    assert str(folder / "data") in found["database"]["found"]
    assert not [one for one in found.values() if "broke" in one["found"]]


def clean_of_rights() -> list[str]:
    """Whoever may do everything sees into every folder: that right is taken away."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("there is no setpriv, and this user may do everything")
    return [setpriv, "--inh-caps=-all", "--bounding-set=-all"]


def test_a_database_that_takes_no_writes_is_told_with_what_to_do(
    run: Run, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_database()
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", url)
    assert findings(run)["database"]["status"] == "ok"
    with closing(Store(url)) as store, store.write() as tx:
        name = tx.execute(text("SELECT current_database()")).scalar_one()
        tx.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    found = findings(run)["database"]
    assert (found["status"], found["found"]) == ("fail", "the database is set to read only")
    assert "default_transaction_read_only" in found["hint"]


def test_tables_that_the_user_may_only_read_are_told(
    run: Run, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_database()
    with closing(Store(url)) as store, store.write() as tx:
        tx.execute(
            text("DO $$ BEGIN CREATE ROLE only_reads LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
        )
        tx.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO only_reads"))
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", re.sub(r"//[^@]*@", "//only_reads@", url))
    found = findings(run)["database"]
    assert found["status"] == "fail"
    assert "may not read and write" in found["found"]


def test_a_database_that_must_be_migrated_fails_where_nothing_would_start_on_it(
    run: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rows.context.store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert findings(run)["database"]["status"] == "warn"  # `up` migrates by itself
    monkeypatch.setenv("ORCHESTRATOR_BROKER_URL", "redis://127.0.0.1:9/0")
    assert findings(run)["database"]["status"] == "fail"


def test_a_file_of_another_program_stays_as_it_is(run: Run, folder: Path) -> None:
    file = folder / "data" / "orchestrator.db"
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as theirs:
        theirs.execute("CREATE TABLE theirs (x)")
        theirs.commit()
    before = file.read_bytes()
    assert "revision none" in findings(run)["database"]["found"]
    assert file.read_bytes() == before
    assert [one.name for one in file.parent.iterdir()] == [file.name]
