"""Threads of a process that begin with what it owes itself: no more than are free, none when it stops."""

import logging
import threading
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from orchestrator.core.job import HandOff, HandOffKind, Job, Output, Owed
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.held import PASSES
from orchestrator.processes import hands
from orchestrator.processes.hands import LATELY, Hands
from orchestrator.store import hand_offs
from tests.acceptance.waiting import LONG, until
from tests.integration.engine.harness import Engine, NewEngine, completed

Given = tuple[HandOff, Job, list[Output]]


@pytest.fixture
def given(new_engine: NewEngine) -> tuple[Engine, Given]:
    engine = new_engine()
    job_id = completed(engine)
    engine.context.clock = lambda: engine.now
    return engine, (engine.owed(job_id)[0], engine.job(job_id), engine.outputs(job_id))


def made(engine: Engine, sent: list[FollowUp], stopping: threading.Event, threads: int = 2) -> Hands:
    send: Any = sent.extend
    return Hands(engine.context, send, {Task.HAND_OFF: threads}, stopping)


def free(ours: Hands, destination: str = "folder") -> int:
    """How many more to there could begin."""
    one = Owed("a key", "a job", HandOffKind.OUTCOME, destination, 0.0)
    return len(ours.choose([one] * 100))


@dataclass
class Attempts:
    """Attempts that end when the test says so; each is known by the index of its output."""

    engine: Engine
    begun: list[int] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)
    may_end: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __call__(self, _: object, claimed: HandOff, *__: object) -> list[FollowUp]:
        """One attempt, which takes a place at its destination."""
        assert self.engine.context.places.take(claimed.destination, 100)
        self.begun.append(claimed.output_index or 0)
        try:
            assert self.may_end.acquire(timeout=LONG)
            assert claimed.output_index not in self.broken, "a bug"
        finally:
            self.engine.context.places.give_back(claimed.destination)
        return [FollowUp(Task.HAND_OFF, 3.0)]

    def are_under_way(self, count: int) -> None:
        """Wait until so many are, and all that ended have left their thread."""
        until(f"{count} are under way", lambda: self.engine.context.places.taken().get("folder") == count)


@pytest.fixture
def attempts(given: tuple[Engine, Given], monkeypatch: pytest.MonkeyPatch) -> Attempts:
    made = Attempts(given[0])
    monkeypatch.setattr(hands, "hand_off_claimed", made)
    return made


def begin(ours: Hands, mine: Given, *numbers: int) -> None:
    """Begin with attempts to the folder, known by these numbers."""
    for number in numbers:
        ours.begin(replace(mine[0], destination="folder", output_index=number), *mine[1:])


def test_what_is_begun_takes_a_thread_until_it_is_over_and_what_follows_is_sent(
    given: tuple[Engine, Given], attempts: Attempts
) -> None:
    engine, mine = given
    sent: list[FollowUp] = []
    ours = made(engine, sent, threading.Event())
    assert free(ours) == 2
    begin(ours, mine, 1)
    attempts.are_under_way(1)
    assert free(ours) == 1
    begin(ours, mine, 2, 3)  # whoever asked at the same moment as another
    attempts.are_under_way(3)
    assert free(ours) == 0
    ours.wait(0.01)
    assert sent == []
    attempts.may_end.release(3)
    ours.wait(LONG)
    engine.later(LATELY)
    assert (free(ours), sent) == (2, [FollowUp(Task.HAND_OFF, 3.0)] * 3)


def test_as_many_as_ended_lately_may_wait_for_a_thread(
    given: tuple[Engine, Given], attempts: Attempts
) -> None:
    engine, mine = given
    ours = made(engine, [], threading.Event())
    begin(ours, mine, 1, 2)
    attempts.may_end.release(2)
    ours.wait(LONG)
    assert free(ours) == 4
    begin(ours, mine, 3, 4, 5, 6)
    attempts.are_under_way(2)
    assert (free(ours), sorted(attempts.begun[2:])) == (0, [3, 4]), "two wait, no thread is made for them"
    engine.later(LATELY)
    assert free(ours) == 0
    attempts.may_end.release()
    until("one that waited has begun", lambda: attempts.begun[4:] == [5])
    attempts.may_end.release(3)
    ours.wait(LONG)
    assert attempts.begun[4:] == [5, 6], "in the order in which they came"


def test_the_lease_of_what_waits_for_a_thread_is_not_given_back(
    given: tuple[Engine, Given], attempts: Attempts
) -> None:
    engine, mine = given

    def leased_by(job_id: str) -> set[str | None]:
        engine.context.held.doubt()
        for _ in range(PASSES):
            engine.context.held.give_back(engine.context)
        return {one.leased_by for one in engine.hand_offs(job_id)} - {None}

    with engine.store.write() as tx:
        leased = hand_offs.claim_due(tx, worker=engine.context.worker, lease=120.0)
    assert leased is not None
    ours = made(engine, [], threading.Event(), threads=1)
    begin(ours, mine, 1)
    attempts.may_end.release()
    ours.wait(LONG)
    begin(ours, mine, 2)
    attempts.are_under_way(1)
    begin(ours, (leased, *mine[1:]), 3)
    assert attempts.begun == [1, 2]
    assert leased_by(leased.job_id) == {engine.context.worker}
    attempts.may_end.release(2)
    ours.wait(LONG)
    assert leased_by(leased.job_id) == set(), "nobody works on it any more"


def test_where_nothing_ends_nothing_waits(given: tuple[Engine, Given], attempts: Attempts) -> None:
    engine, mine = given
    ours = made(engine, [], threading.Event())
    begin(ours, mine, 1)
    attempts.may_end.release()
    ours.wait(LONG)
    engine.later(LATELY)
    begin(ours, mine, 2, 3, 4)
    attempts.are_under_way(3)
    assert free(ours) == 0
    attempts.may_end.release(3)
    ours.wait(LONG)


def test_to_a_destination_with_enough_under_way_none_is_chosen_and_others_are(
    given: tuple[Engine, Given],
) -> None:
    engine, _ = given
    ours = made(engine, [], threading.Event(), threads=100)
    most = engine.context.most_at_once("folder")
    assert (free(ours), free(ours, "another")) == (most, most)
    assert engine.context.places.take("folder", most)
    assert (free(ours), free(ours, "another")) == (most - 1, most)
    assert all(engine.context.places.take("folder", most) for _ in range(most - 1))
    assert (free(ours), free(ours, "another")) == (0, most)


def test_what_waits_for_a_place_has_it_once_one_is_given_back_there(
    given: tuple[Engine, Given], attempts: Attempts
) -> None:
    engine, mine = given
    most = engine.context.most_at_once("folder")
    ours = made(engine, [], threading.Event(), threads=100)
    begin(ours, mine, *range(most))
    attempts.may_end.release(most)
    ours.wait(LONG)
    begin(ours, mine, *range(most, 2 * most))
    attempts.are_under_way(most)
    assert free(ours) == most, "as many as ended lately, though none could begin"
    begin(ours, mine, 2 * most)
    assert (free(ours), len(attempts.begun)) == (most - 1, 2 * most)
    attempts.may_end.release(most + 1)
    ours.wait(LONG)
    assert attempts.begun[2 * most :] == [2 * most]


def test_a_process_that_stops_begins_nothing(given: tuple[Engine, Given], attempts: Attempts) -> None:
    engine, mine = given
    stopping = threading.Event()
    ours = made(engine, [], stopping, threads=1)
    begin(ours, mine, 1)
    attempts.may_end.release()
    ours.wait(LONG)
    begin(ours, mine, 2, 3)
    attempts.are_under_way(1)
    stopping.set()
    assert free(ours) == 0
    attempts.may_end.release(2)
    ours.wait(LONG)
    assert attempts.begun == [1, 2], "one that waited is left to others"


def test_what_waits_behind_one_that_breaks_is_begun_all_the_same(
    given: tuple[Engine, Given], attempts: Attempts
) -> None:
    engine, mine = given
    ours = made(engine, [], threading.Event(), threads=1)
    begin(ours, mine, 1)
    attempts.may_end.release()
    ours.wait(LONG)
    begin(ours, mine, 2, 3)
    attempts.are_under_way(1)
    attempts.broken = {2}
    attempts.may_end.release(2)
    ours.wait(LONG)
    assert attempts.begun == [1, 2, 3]


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
    given[0].later(LATELY)
    assert free(ours) == 2
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
    engine.later(LATELY)
    assert free(ours) == 2
    assert [one.message for one in caplog.records] == ["task_broke"]
    for _ in range(2):  # two heartbeats
        engine.context.held.give_back(engine.context)
    assert {one.leased_by for one in engine.hand_offs(leased.job_id)} == {None}
