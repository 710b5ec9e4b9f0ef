"""A destination that fails or hangs is spared and keeps nobody else waiting; nothing owed to it is lost."""

import logging
import threading
from collections.abc import Iterator
from typing import Any, Never

import pytest

from orchestrator.core.breaker import FAILURES_TO_OPEN, FIRST_PAUSE, LONGEST_PAUSE
from orchestrator.core.job import HandOffState
from orchestrator.core.lifecycle import State
from orchestrator.engine import alarms
from orchestrator.engine.alarms import Alarm, AlarmName
from orchestrator.engine.context import THREADS_FOR_OTHERS
from orchestrator.engine.follow_up import Task
from orchestrator.errors import NEVER, DestinationError
from orchestrator.sinks import Parcel
from orchestrator.sinks.folder import FolderSink, FolderStaging
from orchestrator.store import destinations
from tests.acceptance.waiting import until
from tests.integration.engine.harness import Engine, NewEngine
from tests.patience import LONG

OWED, DONE = HandOffState.OWED, HandOffState.DONE
BOTH = ("folder", "away")


class Away(FolderSink):
    """A folder that can be away."""

    away = True
    asked = 0

    def stage(self, parcel: Parcel, attempt: int) -> FolderStaging:
        self.asked += 1
        if self.away:
            raise DestinationError("nobody is there")
        return super().stage(parcel, attempt)


class Hanging(FolderSink):
    """A folder that does not answer until it is let go."""

    def __init__(self, folder: Any) -> None:
        super().__init__(folder)
        self.entered, self.let_go = threading.Semaphore(0), threading.Event()

    def stage(self, parcel: Parcel, attempt: int) -> FolderStaging:
        self.entered.release()
        assert self.let_go.wait(LONG)
        return super().stage(parcel, attempt)


@pytest.fixture
def engine(new_engine: NewEngine) -> Engine:
    """An engine with a second destination, which is away."""
    engine = new_engine(hand_off_first_retry_seconds=1)
    engine.sinks = {**engine.sinks, "away": Away(engine.folder.parent / "away")}
    return engine


def away(engine: Engine) -> Away:
    sink = engine.sinks["away"]
    assert isinstance(sink, Away)
    return sink


def completed(engine: Engine, *wanted: str) -> str:
    job_id = engine.created(destinations=wanted or BOTH)
    assert engine.look_when_due(job_id).state is State.COMPLETED
    return job_id


def shut(engine: Engine) -> list[str]:
    """Jobs whose hand-offs found the destination away, until it was shut."""
    ids = [completed(engine, "away") for _ in range(FAILURES_TO_OPEN)]
    assert engine.hand_off_all() == FAILURES_TO_OPEN
    return ids


def fail_now(engine: Engine) -> None:
    """Let it fail so often, in no time, for hand-offs of others."""
    with engine.store.write() as tx:
        for number in range(FAILURES_TO_OPEN):
            destinations.failed(tx, "away", f"other/{number}", "nobody is there")


def attempts(engine: Engine, ids: list[str]) -> int:
    return sum(one.attempts for job_id in ids for one in engine.owed(job_id))


def wrong(engine: Engine) -> list[Alarm]:
    with engine.store.read() as tx:
        return alarms.read(tx, wall_clock=engine.now, beat_expected=False)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.msg for one in caplog.records if one.msg.startswith("destination_")]


def test_what_is_owed_to_a_destination_that_is_away_waits_and_the_rest_flows(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "orchestrator")
    ids = [completed(engine) for _ in range(FAILURES_TO_OPEN + 3)]
    assert engine.hand_off_all() == len(ids) + FAILURES_TO_OPEN
    assert told(caplog) == ["destination_shut"]
    owed = [one for job_id in ids for one in engine.owed(job_id)]
    assert {one.state for one in owed if one.destination == "folder"} == {DONE}
    assert sorted(one.attempts for one in owed if one.destination == "away") == [0] * 3 + [1] * 5
    assert away(engine).asked == FAILURES_TO_OPEN


STEP = 5.0  # seconds, of which each pause has whole ones


def test_after_the_pause_one_is_tried_and_what_comes_of_it_decides(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "orchestrator")
    ids = shut(engine)
    pauses, began = [], engine.now
    for _ in range(7):
        before = attempts(engine, ids)
        while not engine.hand_off_all():
            engine.later(STEP)
        assert attempts(engine, ids) == before + 1, "one only, and the others keep their attempts"
        pauses.append(engine.now - began)
        began = engine.now
    assert pauses == [FIRST_PAUSE, 30, 60, 120, 240, LONGEST_PAUSE, LONGEST_PAUSE]
    away(engine).away = False
    engine.later(LONGEST_PAUSE)
    engine.hand_off()
    engine.later(3_600)
    engine.hand_off_all()
    assert [engine.states(job_id) for job_id in ids] == [[DONE]] * len(ids)
    assert told(caplog) == ["destination_shut", "destination_open"]


def test_a_backlog_flows_as_soon_as_one_arrived(engine: Engine) -> None:
    shut(engine)
    waiting = [completed(engine, "away") for _ in range(4)]
    away(engine).away = False
    engine.later(FIRST_PAUSE)
    assert engine.hand_off_all() == FAILURES_TO_OPEN + len(waiting)
    assert [engine.states(job_id) for job_id in waiting] == [[DONE]] * len(waiting)


def test_one_that_arrives_between_failures_makes_them_forgotten(engine: Engine) -> None:
    for _ in range(2):
        for _ in range(FAILURES_TO_OPEN - 1):
            completed(engine, "away")
        engine.hand_off_all()
        away(engine).away = False
        completed(engine, "away")
        engine.hand_off()
        away(engine).away = True
    assert not wrong(engine)


def test_content_that_cannot_be_had_says_nothing_against_the_destination(engine: Engine) -> None:
    away(engine).away = False
    for _ in range(FAILURES_TO_OPEN + 1):
        job_id = engine.created(destinations=("away",), content="cut", content_fault_times=1)
        engine.look_when_due(job_id)
        engine.hand_off()
    assert not wrong(engine)


class Picky(FolderSink):
    def stage(self, parcel: Parcel, attempt: int) -> Never:
        raise DestinationError("this one never", retry=NEVER)


def test_what_can_never_be_delivered_shuts_nothing(engine: Engine) -> None:
    engine.sinks = {**engine.sinks, "away": Picky(engine.folder)}
    for _ in range(FAILURES_TO_OPEN + 1):
        completed(engine, "away")
    engine.hand_off_all()
    assert {one.name for one in wrong(engine)} == {AlarmName.FAULT_RECURS}


def test_a_try_that_nobody_lived_to_finish_is_followed_by_another(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut(engine)
    away(engine).away = False
    engine.later(FIRST_PAUSE)
    with monkeypatch.context() as dying:
        dying.setattr(Away, "stage", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            engine.hand_off()
    engine.die_and_start_again()
    assert engine.hand_off() is None, "the pause goes on"
    engine.later(FIRST_PAUSE)
    assert engine.hand_off_all() == FAILURES_TO_OPEN


def test_another_process_knows_that_it_is_shut(engine: Engine) -> None:
    completed(engine, "away")
    fail_now(engine)
    engine.die_and_start_again()
    assert engine.hand_off() is None


def test_a_sweep_sends_for_nothing_that_waits_for_a_destination(engine: Engine) -> None:
    completed(engine, "away")
    fail_now(engine)
    engine.archive()
    engine.later(2)
    assert Task.HAND_OFF not in {one.task for one in engine.sweep()}
    engine.later(FIRST_PAUSE)
    assert Task.HAND_OFF in {one.task for one in engine.sweep()}


def test_that_a_destination_is_shut_is_an_alarm_of_its_own_and_not_that_workers_are_behind(
    engine: Engine,
) -> None:
    shut(engine)
    for _ in range(3):
        engine.later(100)
        engine.sweep()
        (alarm,) = wrong(engine)
        why = "away failed 5 times in a row: nobody is there"
        assert alarm == Alarm(AlarmName.DESTINATION_SHUT, why, "away")
    away(engine).away = False
    engine.hand_off()
    engine.sweep()
    assert [alarm.name for alarm in wrong(engine)] == [AlarmName.BEHIND], "now they can be taken"
    engine.hand_off_all()
    assert wrong(engine) == []


def test_a_destination_that_nothing_is_owed_to_any_more_is_forgotten(new_engine: NewEngine) -> None:
    engine = new_engine(hand_off_attempts=1)
    engine.sinks = {"away": Away(engine.folder)}
    shut(engine)
    engine.sweep()
    assert wrong(engine)
    engine.later(FIRST_PAUSE + 700)
    engine.keep_house()
    engine.sweep()
    assert wrong(engine) == []


def test_a_destination_that_nobody_could_try_for_long_is_remembered_while_something_is_owed_to_it(
    engine: Engine,
) -> None:
    engine.sinks = {"away": Away(engine.folder)}
    shut(engine)
    engine.later(FIRST_PAUSE + 700)
    engine.keep_house()
    assert AlarmName.DESTINATION_SHUT in [alarm.name for alarm in wrong(engine)]


# a destination that hangs


@pytest.fixture
def hanging(engine: Engine) -> Iterator[Hanging]:
    sink = Hanging(engine.folder.parent / "hanging")
    engine.sinks = {**engine.sinks, "hanging": sink}
    yield sink
    sink.let_go.set()


def test_a_destination_that_hangs_leaves_threads_to_the_others(engine: Engine, hanging: Hanging) -> None:
    most = engine.settings.hand_off_threads - THREADS_FOR_OTHERS
    stuck = [completed(engine, "hanging") for _ in range(most + 2)]
    threads = [threading.Thread(target=engine.hand_off_all) for _ in range(most + 2)]
    for thread in threads:
        thread.start()
    for _ in range(most):
        assert hanging.entered.acquire(timeout=LONG)
    until("the others found nothing to do", lambda: sum(one.is_alive() for one in threads) == most)
    other = completed(engine, "folder")
    assert engine.hand_off_all() == 1
    assert engine.states(other) == [DONE]
    hanging.let_go.set()
    for thread in threads:
        thread.join(LONG)
    assert [engine.states(job_id) for job_id in stuck] == [[DONE]] * len(stuck)
    assert attempts(engine, stuck) == len(stuck)
