"""Threads of a process that begin with what it owes itself: no more than are free, none when it stops."""

import logging
import threading
from typing import Any

import pytest

from orchestrator.core.job import HandOff, Job, Output
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.processes import hands
from orchestrator.processes.hands import Hands
from orchestrator.store import hand_offs
from tests.acceptance.waiting import LONG, until
from tests.integration.engine.harness import Engine, NewEngine, completed

Given = tuple[HandOff, Job, list[Output]]


@pytest.fixture
def given(new_engine: NewEngine) -> tuple[Engine, Given]:
    engine = new_engine()
    job_id = completed(engine)
    return engine, (engine.owed(job_id)[0], engine.job(job_id), engine.outputs(job_id))


def made(engine: Engine, sent: list[FollowUp], stopping: threading.Event, threads: int = 2) -> Hands:
    send: Any = sent.extend
    return Hands(engine.context, send, {Task.HAND_OFF: threads}, stopping)


def test_what_is_begun_takes_a_thread_until_it_is_over_and_what_follows_is_sent(
    given: tuple[Engine, Given], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, mine = given
    go_on, told = threading.Event(), []

    def attempt(*about: object) -> list[FollowUp]:
        told.append(about[1:])
        assert go_on.wait(LONG)
        return [FollowUp(Task.HAND_OFF, 3.0)]

    monkeypatch.setattr(hands, "hand_off_claimed", attempt)
    sent: list[FollowUp] = []
    ours = made(engine, sent, threading.Event())
    assert ours.free() == 2
    ours.begin(*mine)
    assert ours.free() == 1
    ours.begin(*mine)
    ours.begin(*mine)  # whoever asked at the same moment as another
    assert ours.free() == 0
    until("all have begun", lambda: len(told) == 3)
    ours.wait(0.01)
    assert sent == []
    go_on.set()
    ours.wait(LONG)
    assert (ours.free(), sent, told) == (2, [FollowUp(Task.HAND_OFF, 3.0)] * 3, [mine] * 3)


def test_a_process_that_stops_begins_nothing(given: tuple[Engine, Given]) -> None:
    stopping = threading.Event()
    ours = made(given[0], [], stopping)
    stopping.set()
    assert ours.free() == 0


def test_one_that_breaks_frees_its_thread(
    given: tuple[Engine, Given], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: object) -> list[FollowUp]:
        raise ValueError("a bug")

    monkeypatch.setattr(hands, "hand_off_claimed", breaks)
    caplog.set_level(logging.ERROR, "orchestrator")
    ours = made(given[0], [], threading.Event())
    ours.begin(*given[1])
    ours.wait(LONG)
    assert ours.free() == 2
    assert [one.message for one in caplog.records] == ["task_broke"]


def test_where_the_system_gives_no_thread_the_lease_is_given_back(
    given: tuple[Engine, Given], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine, mine = given

    def start(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with engine.store.write() as tx:
        leased = hand_offs.claim_due(tx, worker=engine.context.worker, lease=120.0)
    assert leased is not None
    monkeypatch.setattr(threading.Thread, "start", start)
    caplog.set_level(logging.ERROR, "orchestrator")
    ours = made(engine, [], threading.Event())
    ours.begin(leased, *mine[1:])
    assert ours.free() == 2
    assert [one.message for one in caplog.records] == ["task_broke"]
    for _ in range(2):  # two heartbeats
        engine.context.held.give_back(engine.context)
    assert {one.leased_by for one in engine.hand_offs(leased.job_id)} == {None}
