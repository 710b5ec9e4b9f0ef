"""What becomes owed is handed off at once by the process that owes it, where that can be, and never twice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from orchestrator import fault_points
from orchestrator.core.job import HandOff, HandOffState, Job, Output, Owed
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import Route
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.hand_off import hand_off, hand_off_claimed
from orchestrator.engine.lease import LEASE
from orchestrator.fault_points import FaultPoint
from orchestrator.store import destinations, workers
from orchestrator.store.attempts import Result
from tests.integration.engine.harness import Engine, NewEngine
from tests.sandbox.harness import Hook, Receiver, Sandbox

DONE, OWED = HandOffState.DONE, HandOffState.OWED
NOW = FollowUp(Task.HAND_OFF)
TELLS_ONLY = {"keep_outputs": False, "secret_keys": ""}


Given = tuple[HandOff, Job, list[Output]]


@dataclass
class Hands:
    """Hands that do what they were given when the test says so."""

    room: int = 1
    given: list[Given] = field(default_factory=list)

    def choose(self, owed: Sequence[Owed]) -> list[Owed]:
        return list(owed)[: self.room]

    def begin(self, claimed: HandOff, job: Job, siblings: list[Output]) -> None:
        self.given.append((claimed, job, siblings))


@pytest.fixture
def engine(new_engine: NewEngine) -> Engine:
    """An engine that only tells how jobs ended, and has hands for it."""
    engine = new_engine(**TELLS_ONLY)
    engine.context.hands = Hands()
    return engine


@pytest.fixture
def hooked(new_engine: NewEngine, sandbox: Sandbox, hooks: Receiver) -> Engine:
    """The same, told by webhooks."""
    endpoint = sandbox.endpoint(hooks.url)
    secrets = {"webhook_endpoint_id": endpoint["id"], "webhook_secrets": endpoint["signing_secret"]}
    engine = new_engine(**TELLS_ONLY, **secrets)
    engine.context.hands = Hands()
    return engine


@pytest.fixture
def hook(hooked: Engine, sandbox: Sandbox, hooks: Receiver) -> Hook:
    """That a job completed."""
    sandbox.get(str(hooked.job(hooked.created()).gateway_id))
    (told,) = hooks.wait(event="video.completed")
    return told


class Broken(Exception):
    """Something broke."""


def _break_at(point: FaultPoint) -> Callable[[FaultPoint], None]:
    def watch(here: FaultPoint) -> None:
        if here is point:
            raise Broken

    return watch


def hands(engine: Engine) -> Hands:
    assert isinstance(engine.context.hands, Hands)
    return engine.context.hands


def settled(engine: Engine) -> tuple[str, list[FollowUp]]:
    """A job whose end a look has found, and what follows by messages."""
    job_id = engine.created()
    engine.later(max(0.0, (engine.job(job_id).due_at or 0.0) - engine.now))
    follow_ups = engine.look()
    assert follow_ups is not None
    assert engine.job(job_id).state is State.COMPLETED
    return job_id, [one for one in follow_ups if one.task is Task.HAND_OFF]


def test_what_a_look_makes_owed_is_leased_as_it_becomes_owed_and_no_message_asks_for_it(
    engine: Engine,
) -> None:
    job_id, follow_ups = settled(engine)
    assert follow_ups == []
    (given,) = hands(engine).given
    claimed, job, siblings = given
    assert ([claimed], job, siblings) == (engine.owed(job_id), engine.job(job_id), engine.outputs(job_id))
    assert (claimed.attempts, claimed.fence, claimed.leased_by) == (1, 1, engine.context.worker)
    assert claimed.lease_until == engine.now + LEASE
    assert hand_off(engine.context) is None, "it is leased already"
    assert hand_off_claimed(engine.context, *given) == []
    assert engine.states(job_id) == [DONE]
    assert list(engine.files()) == [f"{job_id}.completed.json"]
    assert [(one.number, one.result) for one in engine.attempts(job_id)] == [(1, Result.DONE)]


def test_so_is_what_a_webhook_makes_owed(hooked: Engine, hook: Hook) -> None:
    receipt = hooked.receive(hook)
    assert receipt.follow_ups == ()
    (given,) = hands(hooked).given
    assert hand_off_claimed(hooked.context, *given) == []
    assert hooked.states(given[0].job_id) == [DONE]


def test_what_is_not_committed_is_not_begun(hooked: Engine, hook: Hook) -> None:
    fault_points.watch(_break_at(FaultPoint.RECEIVE_APPLIED))
    with pytest.raises(Broken):
        hooked.receive(hook)
    fault_points.watch(None)
    assert hands(hooked).given == []
    hooked.receive(hook)
    assert len(hands(hooked).given) == 1


def test_a_process_that_is_not_known_as_alive_leases_nothing(hooked: Engine, hook: Hook) -> None:
    with hooked.store.write() as tx:
        workers.leave(tx, hooked.context.worker)
    assert hooked.receive(hook).follow_ups == (NOW,)
    assert hands(hooked).given == []


def test_an_attempt_that_fails_is_made_again_by_whichever_worker_comes(engine: Engine) -> None:
    job_id, _ = settled(engine)
    engine.folder.write_text("not a folder")
    (again,) = hand_off_claimed(engine.context, *hands(engine).given[0])
    assert again.delay > 0
    (owed,) = engine.owed(job_id)
    assert (owed.state, owed.attempts, owed.leased_by) == (OWED, 1, None)
    engine.folder.unlink()
    engine.later(again.delay)
    assert hand_off(engine.context) == []
    assert engine.states(job_id) == [DONE]
    assert [one.result for one in engine.attempts(job_id)] == [Result.FAILED, Result.DONE]


def test_what_its_process_did_not_live_to_begin_is_done_by_another(engine: Engine) -> None:
    job_id, _ = settled(engine)
    late = hands(engine).given[0]
    engine.die_and_start_again()
    assert hand_off(engine.context) == []
    assert engine.states(job_id) == [DONE]
    assert [one.result for one in engine.attempts(job_id)] == [Result.LOST, Result.DONE]
    # Not dead, only late: it writes the same under the same name, and says nothing.
    written = engine.files()
    assert hand_off_claimed(engine.context, *late) == []
    assert engine.files() == written
    assert [one.result for one in engine.attempts(job_id)] == [Result.LOST, Result.DONE]


def test_without_a_free_thread_it_waits_for_a_message(engine: Engine) -> None:
    hands(engine).room = 0
    job_id, follow_ups = settled(engine)
    assert (hands(engine).given, follow_ups) == ([], [NOW])
    assert engine.owed(job_id)[0].attempts == 0


def test_of_several_only_as_many_as_threads_are_free(engine: Engine) -> None:
    engine.with_folders("second", "third")
    hands(engine).room = 2
    routes = [Route(name, link=True) for name in ("folder", "second", "third")]
    job_id = engine.created(destinations=tuple(routes))
    engine.look_when_due(job_id)
    assert len(hands(engine).given) == 2
    for given in hands(engine).given:
        hand_off_claimed(engine.context, *given)
    assert engine.hand_off_all() == 1
    assert engine.states(job_id) == [DONE] * 3


def test_to_a_destination_that_failed_last_it_waits_for_a_message(engine: Engine) -> None:
    with engine.store.write() as tx:
        destinations.failed(tx, "folder", "another", "nobody is there")
    job_id, follow_ups = settled(engine)
    assert (hands(engine).given, follow_ups) == ([], [NOW])
    assert hand_off(engine.context) == []
    assert engine.states(job_id) == [DONE]
    with engine.store.read() as tx:
        assert destinations.failing(tx) == {}, "what worked was counted"


def test_one_that_finds_the_last_place_taken_is_given_back_as_if_it_had_not_begun(engine: Engine) -> None:
    job_id, _ = settled(engine)
    most = engine.context.most_at_once("folder")
    assert all(engine.context.places.take("folder", most) for _ in range(most))
    assert hand_off_claimed(engine.context, *hands(engine).given[0]) == [NOW]
    (owed,) = engine.owed(job_id)
    assert (owed.attempts, owed.leased_by) == (0, None)
    engine.context.places.give_back("folder")
    assert hand_off(engine.context) == []
    assert [(one.number, one.result) for one in engine.attempts(job_id)] == [(1, Result.DONE)]


def test_files_are_left_to_workers(new_engine: NewEngine) -> None:
    engine = new_engine()
    engine.context.hands = Hands()
    job_id, follow_ups = settled(engine)
    assert (hands(engine).given, follow_ups) == ([], [NOW])
    assert engine.hand_off_all() == 1
    assert engine.states(job_id) == [DONE]
