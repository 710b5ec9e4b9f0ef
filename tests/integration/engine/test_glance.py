"""Commits of other processes are noticed by a glance at the database, many times a second."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.processes import timers
from orchestrator.store.database import Store, sqlite_path
from tests.integration.engine.harness import Engine


class Glances:
    """The glance of one process, taken when the test wants, and the messages that it sends."""

    def __init__(self, engine: Engine, connection: sqlite3.Connection) -> None:
        self._sent: list[FollowUp] = []
        self._timer = timers.glance(engine.context, self._sent.extend, connection)  # type: ignore[arg-type]
        self.look()  # what is there at the start is the first sweep's

    def look(self) -> list[FollowUp]:
        """What one glance sends."""
        self._sent.clear()
        self._timer._act()
        return self._sent[:]


@pytest.fixture
def glances(engine: Engine) -> Iterator[Glances]:
    path = sqlite_path(engine.store.url)
    assert path is not None
    with closing(sqlite3.connect(path)) as connection:
        yield Glances(engine, connection)


def test_nothing_is_sent_while_nobody_commits(engine: Engine, glances: Glances) -> None:
    assert glances.look() == glances.look() == []


def test_a_commit_of_another_process_sends_one_message_for_each_kind_of_due_work(
    engine: Engine, glances: Glances
) -> None:
    other = Engine(engine.folder.parent, engine.settings.gateway_url)
    other.now = engine.now
    for _ in range(3):
        other.submit()
    assert glances.look() == [FollowUp(Task.CREATE)]
    assert glances.look() == [], "it was told already"
    other.close()


def test_a_commit_that_leaves_nothing_due_sends_nothing(engine: Engine, glances: Glances) -> None:
    with closing(Store(engine.store.url)) as other, other.write() as tx:
        tx.connection.exec_driver_sql("CREATE TABLE somebody_elses (id INTEGER)")
    assert glances.look() == []


def test_an_orchestrator_glances_twenty_times_a_second() -> None:
    """So that a commit is noticed within a tenth of a second (design 11), and half of that is to spare."""
    assert timers.GLANCE_EVERY <= 0.05
