"""The migrations and the schema in the code are the same thing; a newer database is left alone."""

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from orchestrator.errors import StoreError
from orchestrator.store.database import Store
from orchestrator.store.migrate import (
    HEAD,
    MIGRATIONS,
    Version,
    migrate,
    require_current,
    revisions,
    version,
)
from orchestrator.store.schema import metadata

CONDITIONAL = (
    *("_due", "_creating", "_accepted", "_spent", "_unmatched", "_leased", "_archived", "_dead", "_blamed"),
    *("_reference", "_end_user", "_retry_of", "_live", "_first", "_uncertain"),
)


@pytest.fixture
def empty(database_url: str) -> Iterator[Store]:
    store = Store(database_url)
    yield store
    store.close()


def mark_as(store: Store, revision: str) -> None:
    with store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})


def test_upgraded_from_nothing_the_database_is_what_the_schema_says(store: Store) -> None:
    with store.read() as tx:
        context = MigrationContext.configure(tx.connection, opts={"compare_type": True})
        assert not compare_metadata(context, metadata)


def test_every_index_is_there_under_its_name_with_its_condition(store: Store) -> None:
    with store.read() as tx:
        found = inspect(tx.connection)
        for table in metadata.sorted_tables:
            there = {index["name"]: index for index in found.get_indexes(table.name)}
            assert {index.name for index in table.indexes} <= set(there)
            for index in table.indexes:
                conditional = "where" in str(there[index.name].get("dialect_options", {}))
                assert conditional == (index.name or "").endswith(CONDITIONAL)


def test_the_newest_revision_is_the_one_the_program_names() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_current_head() == HEAD
    assert {script.revision for script in scripts.walk_revisions()} == revisions()


def test_upgrading_says_where_the_database_stood_and_twice_changes_nothing(empty: Store) -> None:
    assert migrate(empty) == Version(None, HEAD)
    assert migrate(empty) == Version(HEAD, HEAD)
    assert version(empty).current
    require_current(empty)


def test_an_empty_database_must_be_migrated_before_it_is_used(empty: Store) -> None:
    with pytest.raises(StoreError, match="revision none") as caught:
        require_current(empty)
    assert "orchestrator migrate" in caught.value.hint


def test_an_upgrade_that_fails_half_way_leaves_the_database_as_it_was(
    empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic.operations import Operations

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the power went out")

    monkeypatch.setattr(Operations, "bulk_insert", fails)  # the last thing that the first one does
    with pytest.raises(RuntimeError, match="power"):
        migrate(empty)
    with empty.read() as tx:
        assert inspect(tx.connection).get_table_names() == []


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(store: Store) -> None:
    mark_as(store, "9999")
    for act in (migrate, require_current, version):
        with pytest.raises(StoreError, match=r"newer version .* 9999"):
            act(store)
    with store.read() as tx:
        assert tx.execute(text("SELECT version_num FROM alembic_version")).all() == [("9999",)]
