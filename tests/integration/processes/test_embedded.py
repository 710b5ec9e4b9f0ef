"""A process that cannot do its work ends; one that stops does so in bounded time and writes no more."""

import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest
from celery import Celery

from orchestrator import wiring
from orchestrator.celery_app import EMBEDDED, Bell, make_app
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import OrchestratorError, StoreError
from orchestrator.processes import timers
from orchestrator.processes.lock import Hold, exclusive, hold
from orchestrator.processes.workers import EmbeddedWorkers
from orchestrator.store.database import Store
from orchestrator.tasks.sending import Sender
from tests.sandbox.harness import until

MakeWorkers = Callable[..., EmbeddedWorkers]


@pytest.fixture
def new_workers() -> Iterator[MakeWorkers]:
    """Makes embedded workers of one queue, whose tasks do what the test says."""
    made: list[EmbeddedWorkers] = []

    def make(act: Callable[[], object] = lambda: None, *, drain: float = 10) -> EmbeddedWorkers:
        def app() -> Celery:
            def task() -> None:
                act()

            new = make_app(EMBEDDED)
            new.task(name=Task.LOOK, shared=False)(task)
            return new

        made.append(EmbeddedWorkers(app, {Task.LOOK: 1}, "test", drain=drain))
        made[-1].start()
        made[-1].wait()
        return made[-1]

    yield make
    for workers in made:
        workers.stop()


@pytest.fixture(scope="module")
def well() -> Iterator[EmbeddedWorkers]:
    """Workers that nothing happens to."""
    workers = EmbeddedWorkers(lambda: make_app(EMBEDDED), {Task.SWEEP: 1}, "well", drain=10)
    workers.start()
    workers.wait()
    yield workers
    workers.stop()


def lose_the_consumer(workers: EmbeddedWorkers) -> None:
    """What an error does that ends a worker's own loop."""
    (worker,), (thread,) = workers._workers, workers._threads
    worker.stop()
    thread.join(10)


# workers


def test_a_worker_whose_loop_ended_though_nobody_stopped_it_is_dead(new_workers: MakeWorkers) -> None:
    workers = new_workers()
    assert workers.dead() == []
    lose_the_consumer(workers)
    assert workers.dead() == [f"{Task.LOOK}@test"]


def test_workers_that_were_stopped_are_not_dead(new_workers: MakeWorkers) -> None:
    workers = new_workers()
    workers.stop()
    assert workers.dead() == []


def test_a_worker_with_nothing_to_do_looks_often_whether_to_stop(
    new_workers: MakeWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Celery's own waits are of two seconds, and so would a stop be."""
    waits = list[float]()
    wait = Bell.wait

    def noting(bell: Bell, times: int, seconds: float) -> None:
        waits.append(seconds)
        wait(bell, times, seconds)

    monkeypatch.setattr(Bell, "wait", noting)
    new_workers()
    until(lambda: len(waits) > 3)
    assert max(waits) <= 0.1


def test_a_message_wakes_a_worker_that_waits(
    new_workers: MakeWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = Bell.wait
    woken = threading.Event()
    monkeypatch.setattr(Bell, "wait", lambda bell, times, _: wait(bell, times, 1 if woken.is_set() else 60))
    new_workers(woken.set)
    Sender(make_app(EMBEDDED), lambda: 0.0)([FollowUp(Task.LOOK)])
    assert woken.wait(30)


def test_stopping_lets_what_runs_finish(new_workers: MakeWorkers) -> None:
    began, finish, finished = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        finish.wait(10)
        finished.set()

    workers = new_workers(work)
    Sender(make_app(EMBEDDED), lambda: 0.0)([FollowUp(Task.LOOK)])
    assert began.wait(5)
    stopping = threading.Thread(target=workers.stop)
    stopping.start()
    until(lambda: workers._stopping)
    finish.set()
    stopping.join(10)
    assert finished.is_set()


def test_stopping_takes_no_longer_than_draining_may(new_workers: MakeWorkers) -> None:
    began, finish = threading.Event(), threading.Event()

    def endless() -> None:
        began.set()
        finish.wait(20)

    workers = new_workers(endless, drain=0.3)
    Sender(make_app(EMBEDDED), lambda: 0.0)([FollowUp(Task.LOOK)])
    assert began.wait(5)
    asked_at = monotonic()
    workers.stop()
    took = monotonic() - asked_at
    finish.set()
    assert 0.3 <= took < 3


# watchdog


class Aborted(Exception):
    """Stands in for the end of the process."""


@pytest.fixture
def aborted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows when the process would have ended."""
    ends: list[int] = []

    def abort() -> None:
        ends.append(1)
        raise Aborted

    monkeypatch.setattr(wiring, "abort", abort)
    return ends


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Hold]:
    database = tmp_path / "orchestrator.db"
    database.touch()
    with exclusive(database):
        yield hold(database)


def look_after(workers: EmbeddedWorkers, held: Hold) -> None:
    """What the watchdog does each time."""
    with suppress(Aborted):
        timers.watchdog(workers, held)._act()


def test_a_process_whose_parts_are_well_goes_on(
    well: EmbeddedWorkers, held: Hold, aborted: list[int]
) -> None:
    look_after(well, held)
    assert aborted == []


def test_a_process_without_one_of_its_workers_ends(
    new_workers: MakeWorkers, held: Hold, aborted: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    workers = new_workers()
    lose_the_consumer(workers)
    look_after(workers, held)
    assert aborted == [1]
    assert [one.message for one in caplog.records if one.levelno == logging.CRITICAL] == ["worker_died"]


@pytest.mark.parametrize("lost", ["orchestrator.db", "orchestrator.db.lock"])
def test_a_process_whose_database_is_gone_ends(
    well: EmbeddedWorkers,
    held: Hold,
    aborted: list[int],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    lost: str,
) -> None:
    (tmp_path / lost).unlink()
    look_after(well, held)
    assert aborted == [1]
    assert [one.message for one in caplog.records if one.levelno == logging.CRITICAL] == ["database_gone"]


def test_the_watchdog_looks_again_and_again(
    well: EmbeddedWorkers,
    held: Hold,
    aborted: list[int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(timers, "BEAT_EVERY", 0.01)
    with timers.running(timers.watchdog(well, held)):
        (tmp_path / "orchestrator.db").unlink()
        until(lambda: len(aborted) > 1)


# what is left behind


def test_a_closed_store_writes_no_more_however_late_somebody_comes(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'orchestrator.db'}")
    with store.write() as tx:
        tx.connection.exec_driver_sql("CREATE TABLE kept (word TEXT)")
    store.close()
    with pytest.raises(StoreError, match="closed"), store.write() as tx:
        tx.connection.exec_driver_sql("INSERT INTO kept VALUES ('late')")
    with pytest.raises(StoreError, match="closed"), store.read():
        pass
    fresh = Store(store.url)
    with fresh.read() as tx:
        assert tx.connection.exec_driver_sql("SELECT word FROM kept").all() == []
    fresh.close()


@pytest.mark.parametrize("used", [False, True])
def test_a_stopped_loop_refuses_what_comes_later(used: bool) -> None:
    async def answer() -> str:
        return "42"

    http = HttpLoop()
    if used:
        assert http.run(answer()) == "42"
    http.stop()
    with pytest.raises(OrchestratorError, match="stopped"):
        http.run(answer())


def test_a_stopped_loop_refuses_to_enter_and_to_go_on_reading_and_leaves_nothing_unawaited() -> None:
    @asynccontextmanager
    async def opened() -> AsyncIterator[str]:
        yield "open"

    async def chunks() -> AsyncIterator[bytes]:
        yield b"1"
        yield b"2"

    http = HttpLoop()
    reading = http.each(chunks())
    assert next(reading) == b"1"
    with pytest.raises(OrchestratorError, match="stopped"), http.enter(opened()):
        http.stop()
    with pytest.raises(OrchestratorError, match="stopped"), http.enter(opened()):
        pass
    with pytest.raises(OrchestratorError, match="stopped"):
        next(reading)
