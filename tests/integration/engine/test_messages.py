"""Messages: one a slot of time, never an error of the caller's, and every queue is consumed."""

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from orchestrator.celery_app import EMBEDDED, make_app
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.sweep import HORIZON, sweep
from orchestrator.processes.workers import EmbeddedWorkers
from orchestrator.settings import QUEUES
from orchestrator.store import workers
from orchestrator.store.workers import Pulse
from orchestrator.tasks import work
from orchestrator.tasks.once import once
from orchestrator.tasks.sending import AWAY_FOR, EXPIRES_AFTER, MOST_OWED, MOST_WAITING, SLOT, Courier, Sender
from orchestrator.tasks.work import AT_A_TIME, register
from tests.integration.engine.harness import Engine
from tests.patience import LONG
from tests.sandbox.harness import until


class Post:
    """Stands where the broker is: keeps what was sent, or refuses."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, float | None]] = []
        self.error: Exception | None = None

    def send_task(self, name: str, *, countdown: float | None, expires: float) -> None:
        assert expires >= (countdown or 0) + EXPIRES_AFTER
        if self.error is not None:
            raise self.error
        self.sent.append((name, countdown))


class HangingPost(Post):
    """Takes a message and does not come back before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()
        self.hangs = threading.Event()

    def send_task(self, name: str, *, countdown: float | None, expires: float) -> None:
        self.hangs.set()
        self.may_go_on.wait(LONG)
        super().send_task(name, countdown=countdown, expires=expires)


class Seconds:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def send(post: Post, seconds: Seconds) -> Sender:
    return Sender(post, seconds)  # type: ignore[arg-type]


def looks(*delays: float) -> list[FollowUp]:
    return [FollowUp(Task.LOOK, delay) for delay in delays]


def test_a_slot_of_time_gets_one_message(send: Sender, post: Post) -> None:
    send(looks(*[10.0 + SLOT * part / 100 for part in range(1, 100)]))
    send(looks(10.0 + SLOT / 2))
    assert post.sent == [("look", 10.0 + SLOT)]


def test_the_message_of_a_slot_comes_when_everything_in_it_is_due(
    send: Sender, post: Post, seconds: Seconds
) -> None:
    for delay in (0.01, 0.2, 7.77, 20.0, HORIZON):
        send(looks(delay))
        assert post.sent[-1][1] is not None
        assert delay <= post.sent[-1][1] < delay + SLOT
        seconds.now += 100


def test_every_kind_of_work_has_slots_of_its_own(send: Sender, post: Post) -> None:
    send([FollowUp(task, 5.1) for task in Task])
    assert {name for name, _ in post.sent} == set(Task)


def test_what_is_due_now_is_sent_each_time(send: Sender, post: Post) -> None:
    send(looks(0, -3, 0))
    assert post.sent == [("look", None)] * 3


def test_what_lies_beyond_the_horizon_is_not_armed(send: Sender, post: Post) -> None:
    send(looks(HORIZON + 0.01, 1e9, float("inf")))
    assert post.sent == []


def test_a_slot_that_has_fired_is_armed_again_for_the_next_time(
    send: Sender, post: Post, seconds: Seconds
) -> None:
    for _ in range(3):
        send(looks(5.0))
        seconds.now += 5.0
    assert len(post.sent) == 3


def test_what_a_courier_cannot_keep_is_said_once_until_it_has_sent_all(
    seconds: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    post = HangingPost()
    send = Courier(post, seconds)  # type: ignore[arg-type]
    for times in (1, 2):
        post.may_go_on.clear()
        post.hangs.clear()
        send([FollowUp(Task.LOOK)])
        assert post.hangs.wait(LONG), "or it takes what waits as it comes"
        for _ in range(MOST_WAITING + 10):
            send([FollowUp(Task.LOOK)])
            send([])  # is nothing that could be lost
        assert caplog.messages == ["send_failed"] * times
        post.may_go_on.set()
        until(lambda: not send._dropping)
    send.close()


@pytest.fixture
def courier(post: Post, seconds: Seconds) -> Iterator[Courier]:
    courier = Courier(post, seconds)  # type: ignore[arg-type]
    yield courier
    courier.close()


def test_a_courier_sends_what_is_due_once_and_at_once_where_nothing_else_is(
    courier: Courier, post: Post
) -> None:
    for times in (1, 2, 3):
        courier(looks(0))
        until(lambda: len(post.sent) == times)  # noqa: B023 - asked before the next round


def test_a_commit_of_a_thousand_jobs_wakes_so_many_and_no_more(courier: Courier, post: Post) -> None:
    courier([FollowUp(Task.CREATE)] * 1_000)
    courier.close()
    assert post.sent == [("create", None)] * MOST_OWED


def test_commits_of_one_moment_wake_no_more_than_one_of_many(seconds: Seconds) -> None:
    post = HangingPost()
    courier = Courier(post, seconds)  # type: ignore[arg-type]
    for _ in range(MOST_WAITING // 2):
        courier([FollowUp(Task.CREATE), FollowUp(Task.LOOK, 5.1), FollowUp(Task.HAND_OFF)])
    post.may_go_on.set()
    courier.close()
    sent = Counter(name for name, _ in post.sent)
    # The first may have been on its way before the others came.
    assert all(MOST_OWED <= sent[name] <= MOST_OWED + 1 for name in ("create", "hand_off"))
    assert sent["look"] == 1


def test_no_kind_of_work_waits_for_the_messages_of_another(courier: Courier, post: Post) -> None:
    courier([*[FollowUp(Task.CREATE)] * 100, FollowUp(Task.HAND_OFF)])
    until(lambda: ("hand_off", None) in post.sent[:2])


def test_slots_that_have_fired_are_forgotten(send: Sender, seconds: Seconds) -> None:
    for _ in range(2_000):
        send(looks(1.0, 29.0))
        seconds.now += 1.0
    assert len(send._armed) < 4 * HORIZON


def test_a_broker_that_is_away_is_logged_and_swallowed_and_left_alone_for_a_while(
    send: Sender, post: Post, seconds: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    for error in (OperationalError("no"), ConnectionRefusedError("no")):
        post.error = error
        send(looks(0, 3))
        assert send.broker_away
        seconds.now += AWAY_FOR
    assert [record.message for record in caplog.records] == ["send_failed"] * 2
    post.error = None
    assert send.broker_away, "until it took a message"
    send(looks(0))
    assert not send.broker_away
    assert post.sent == [("look", None)]


def test_a_slot_that_could_not_be_armed_is_armed_later(send: Sender, post: Post, seconds: Seconds) -> None:
    post.error = OperationalError("no")
    send(looks(20.0))
    post.error = None
    send(looks(20.0))
    assert post.sent == []  # the broker is left alone
    seconds.now += AWAY_FOR
    send(looks(15.0))
    assert post.sent == [("look", 15.0)]


# tasks


def test_a_task_goes_on_until_nothing_is_due_and_sends_what_follows_each_time(
    send: Sender, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[list[FollowUp] | None] = [looks(0), [], None, looks(0)]
    monkeypatch.setitem(work._CLAIMS, Task.LOOK, lambda _: rounds.pop(0))
    work.perform(Task.LOOK, None, send)  # type: ignore[arg-type]
    assert (len(rounds), len(post.sent)) == (1, 1)


def test_a_task_with_no_end_gives_way_and_sends_itself(
    send: Sender, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []

    def endless(_: object) -> list[FollowUp]:
        done.append(1)
        return []

    monkeypatch.setitem(work._CLAIMS, Task.CREATE, endless)
    work.perform(Task.CREATE, None, send)  # type: ignore[arg-type]
    assert (len(done), post.sent) == (AT_A_TIME, [("create", None)])


# workers


@pytest.fixture
def many_workers() -> Iterator[dict[str, threading.Event]]:
    """Embedded workers for each queue; the events tell which tasks ran."""
    ran = {queue: threading.Event() for queue in QUEUES}

    def app() -> Celery:
        made = make_app(EMBEDDED)
        for queue, event in ran.items():
            made.task(name=queue, shared=False)(event.set)
        return made

    running = EmbeddedWorkers(app, dict.fromkeys(QUEUES, 1), "test", drain=10)
    running.start()
    running.wait()
    yield ran
    running.stop()


def test_every_queue_is_consumed_and_its_messages_run(many_workers: dict[str, threading.Event]) -> None:
    send = Sender(make_app(EMBEDDED), lambda: 0.0)
    send([FollowUp(task) for task in Task])
    for queue, ran in many_workers.items():
        assert ran.wait(LONG), f"no message of {queue} ran"


def test_a_countdown_runs_when_it_is_due(many_workers: dict[str, threading.Event]) -> None:
    import time

    send = Sender(make_app(EMBEDDED), time.monotonic)
    began = time.monotonic()
    send(looks(0.3))
    assert many_workers["look"].wait(LONG)
    assert 0.3 <= time.monotonic() - began < 15


def test_a_swept_message_runs_the_sweep_of_its_own_process(engine: Engine) -> None:
    send = Sender(make_app(EMBEDDED), lambda: 0.0)
    running = EmbeddedWorkers(
        lambda: register(make_app(EMBEDDED), engine.context, send), {Task.SWEEP: 1}, "test", drain=10
    )
    running.start()
    running.wait()
    send([FollowUp(Task.SWEEP)])

    def pulsed() -> Any:
        with engine.store.read() as tx:
            return workers.last_pulse(tx, Pulse.SWEEP)

    assert until(pulsed) == engine.now
    running.stop()


def test_a_store_that_is_away_does_not_end_a_task(
    engine: Engine, send: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    with engine.store.write() as tx:
        tx.connection.exec_driver_sql("DROP TABLE hand_offs")
    caplog.set_level(logging.ERROR, "orchestrator")
    assert not once(sweep, engine.context, send)
    assert [record.message for record in caplog.records] == ["store_failed"]
