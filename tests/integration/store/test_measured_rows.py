"""Benchmarks that write rows by themselves, with the fewest there can be: a new column breaks none unseen."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from orchestrator.store.database import Store
from orchestrator.store.workers import join
from tests.benchmarks import dashboard_pages, due_cost, fault_lists, gauges_cost
from tests.servers.fixtures import NewDatabase
from tests.servers.postgres import Databases

FEW = 20
Place = tuple[Store, psycopg.Connection[tuple[object, ...]]]


@pytest.fixture
def place(postgres: Databases, new_database: NewDatabase) -> Iterator[Place]:
    """A database of its own, and a connection beside the store's."""
    url = new_database()
    with closing(Store(url)) as store, postgres.connect(url) as connection:
        yield store, connection


def test_the_cost_of_due_work_can_be_measured(place: Place) -> None:
    store, connection = place
    with store.write() as tx:
        join(tx, "w", host="here", pid=1)
    due_cost.fill(connection, 1, due_cost.MOST_CLAIMED)
    medians = [*due_cost.measure(store, connection, due_cost.MOST_CLAIMED, 1)]
    assert len(medians) == len(due_cost.NOTHING) + len(due_cost.SOME)


def test_the_cost_of_lists_can_be_measured(place: Place) -> None:
    store, connection = place
    fault_lists.fill(connection, FEW)
    assert all(fault_lists.timed(store, act) > 0 for act in fault_lists.acts(FEW).values())


def test_the_cost_of_gauges_can_be_measured(place: Place) -> None:
    store, connection = place
    gauges_cost.fill(connection, FEW)
    assert len([*gauges_cost.measure(store, FEW, 1)]) == len(gauges_cost.PARTS) + 2


def test_the_rows_behind_the_dashboard_can_be_made(place: Place) -> None:
    _, connection = place
    dashboard_pages.fill(connection, FEW)
    (many,) = connection.execute("SELECT count(*) FROM jobs").fetchone() or (0,)
    assert many == FEW
