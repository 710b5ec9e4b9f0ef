"""One place, one holder, whatever name it goes by; and a holder that notices when its place is gone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import StoreError
from orchestrator.processes.lock import exclusive, hold


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "orchestrator.db"
    path.touch()
    return path


def test_a_link_to_a_database_is_no_second_place_to_hold_it_by(database: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = elsewhere / "another.db"
    link.symlink_to(database)
    with exclusive(database), pytest.raises(StoreError, match="is running on"), exclusive(link):
        pass
    with exclusive(link), pytest.raises(StoreError, match="is running on"), exclusive(database):
        pass


def test_what_was_let_go_can_be_held_again(database: Path) -> None:
    for _ in range(2):
        with exclusive(database):
            assert hold(database).intact()


def lock_file(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


def delete(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def move_away(path: Path) -> None:
    path.rename(path.with_name("moved"))


@pytest.mark.parametrize("lose", [delete, replace, move_away])
@pytest.mark.parametrize("which", ["database", "lock file"])
def test_a_hold_whose_files_are_not_those_any_more_is_not_intact(
    database: Path, which: str, lose: Callable[[Path], None]
) -> None:
    with exclusive(database):
        held = hold(database)
        assert held.intact()
        lose(database if which == "database" else lock_file(database))
        assert not held.intact()


def test_what_is_written_to_a_database_does_not_break_its_hold(database: Path) -> None:
    with exclusive(database):
        held = hold(database)
        database.write_bytes(b"rows")
        assert held.intact()
