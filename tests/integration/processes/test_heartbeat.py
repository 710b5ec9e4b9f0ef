"""A worker of several lives as long as its process does, whatever its other connections wait for."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from orchestrator import wiring
from orchestrator.engine.context import Context
from orchestrator.processes import timers
from orchestrator.processes.membership import beating
from orchestrator.settings import load
from orchestrator.store import jobs, schema
from orchestrator.store.database import WORKER_DEAD_AFTER, Store
from tests.integration.store.rows import a_job, claim, join, keep
from tests.sandbox.harness import until
from tests.servers.fixtures import NewDatabase

CONNECTIONS = 4


@pytest.fixture
def context(new_database: NewDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """A worker that has joined."""
    monkeypatch.setattr(timers, "BEAT_EVERY", 0.05)
    settings = load({}, database_url=new_database(), database_connections=CONNECTIONS, output_dir=tmp_path)
    with closing(wiring.open_store(settings)) as store:
        context = wiring.build(settings, store, asks_gateway=False)
        join(store, context.worker)
        yield context
        context.close()


@pytest.fixture
def other(context: Context) -> Iterator[Store]:
    """Another program on the same database."""
    with closing(Store(context.store.url)) as store:
        yield store


def _beaten(other: Store) -> Callable[[], bool]:
    """Whether it has beaten since."""

    def at() -> Any:
        with other.read() as tx:
            return tx.execute(select(schema.workers.c.beaten_at)).scalar_one()

    before = at()
    return lambda: bool(at() > before)


def test_it_beats_while_a_lease_that_is_given_back_waits_for_somebody_elses_row(
    context: Context, other: Store
) -> None:
    keep(context.store, a_job())
    assert claim(context.store, context.worker)
    with beating(context), other.write() as tx:
        jobs.lock(tx, "job_1")
        context.held.doubt()
        until(lambda: _waits_for_a_row(other))
        until(_beaten(other), WORKER_DEAD_AFTER)


def test_it_beats_while_all_connections_of_its_work_are_taken(context: Context, other: Store) -> None:
    with beating(context), ExitStack() as taken:
        for _ in range(CONNECTIONS):
            taken.enter_context(context.store.read())
        until(_beaten(other), WORKER_DEAD_AFTER)


def _waits_for_a_row(other: Store) -> bool:
    ours = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    with other.read() as tx:
        return bool(tx.execute(text(f"{ours} AND wait_event_type = 'Lock'")).scalar())
