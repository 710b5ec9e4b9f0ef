"""What only SQLite does: one file, one writer, pragmas. All else of this folder runs on both databases."""

import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from orchestrator.errors import StoreError
from orchestrator.store.database import Store, sqlite_path
from orchestrator.store.migrate import migrate, require_current, version


@pytest.fixture
def kind() -> str:
    return "sqlite"


def file_of(store: Store) -> Path:
    path = sqlite_path(store.url)
    assert path is not None
    return path


def test_what_sqlite_is_told_is_really_in_force(store: Store) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    for _ in range(3):
        with store.write() as first, store.read() as second:
            for tx in (first, second):
                found = {name: tx.execute(text(f"PRAGMA {name}")).scalar() for name in wanted}
                assert found == wanted


def test_only_a_lease_is_taken_without_waiting_for_the_disk_and_the_next_write_waits_again(
    store: Store,
) -> None:
    for durable, wanted in ((True, 2), (False, 1), (True, 2), (False, 1), (True, 2)):
        with store.write(durable=durable) as tx:
            assert tx.execute(text("PRAGMA synchronous")).scalar() == wanted


def test_a_write_takes_the_lock_at_its_beginning(store: Store) -> None:
    path = sqlite_path(store.url)
    assert path is not None
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    with store.write(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    with store.read():
        other.execute("BEGIN IMMEDIATE")
        other.execute("COMMIT")
    other.close()


def test_waiting_for_the_lock_does_not_make_a_transaction_older(database_url: str) -> None:
    store = Store(database_url)
    began, moments = threading.Event(), []

    def second() -> None:
        began.set()
        with store.write() as tx:
            moments.append(tx.now)

    with store.write():
        waiting = threading.Thread(target=second)
        waiting.start()
        began.wait()
        released = time.time()
        while time.time() < released + 0.02:
            pass
    waiting.join()
    assert moments[0] >= released + 0.01
    store.close()


def test_a_file_that_is_no_database_is_an_error_of_ours(database_url: str) -> None:
    store = Store(database_url)
    file_of(store).write_bytes(b"this was never a database file, it is only some text" * 40)
    with pytest.raises(StoreError, match="not a database"):
        migrate(store)
    store.close()


def test_a_folder_that_cannot_be_written_is_an_error_with_a_hint(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'absent' / 'x.db'}")
    with pytest.raises(StoreError, match="unable to open") as caught:
        migrate(store)
    assert "folder" in caught.value.hint


def test_a_percent_sign_in_the_path_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "100%d").mkdir()
    store = Store(f"sqlite:///{tmp_path / '100%d' / 'x.db'}")
    assert migrate(store).found is None
    store.close()


def test_the_file_of_a_newer_version_is_not_touched(store: Store) -> None:
    with store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    file = file_of(store)
    before = file.read_bytes()
    for act in (migrate, require_current, version):
        again = Store(store.url)
        with pytest.raises(StoreError, match=r"newer version .* 9999"):
            act(again)
        again.close()
    assert file.read_bytes() == before
