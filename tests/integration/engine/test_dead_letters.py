"""Dead letters: what was answered last, and trying them again, all that match or one, also as new."""

from typing import Any

import pytest

from orchestrator.core.job import HandOffState
from orchestrator.core.routes import ARCHIVE
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.replay import replay_dead, replay_hand_off
from orchestrator.errors import DestinationError, NotAllowed
from orchestrator.sinks import Parcel
from orchestrator.sinks.folder import FolderSink, FolderStaging
from orchestrator.store import dead_letters, hand_offs
from orchestrator.store.attempts import Result
from orchestrator.store.dead_letters import ANY, Matching
from orchestrator.store.schema import DEFAULT
from tests.integration.engine.harness import Engine, NewEngine, completed, try_until_over

DONE, DEAD, OWED = HandOffState.DONE, HandOffState.DEAD, HandOffState.OWED


class Answering(FolderSink):
    """A destination that answers with a status while it is told to."""

    status: int | None = 503

    def stage(self, parcel: Parcel, attempt: int) -> FolderStaging:
        if self.status is not None:
            raise DestinationError(
                f"the receiver answered {self.status}", status=self.status, preview="no room left"
            )
        return super().stage(parcel, attempt)


@pytest.fixture
def engine(new_engine: NewEngine) -> Engine:
    engine = new_engine(hand_off_attempts=2)
    engine.with_folders("calm")
    engine.sinks = engine.sinks | {"moody": Answering(engine.folder.parent / "moody")}
    (engine.folder.parent / "moody").mkdir()
    return engine


def moody(engine: Engine) -> Answering:
    sink = engine.sinks["moody"]
    assert isinstance(sink, Answering)
    return sink


def given_up(engine: Engine, **wanted: Any) -> str:
    """A job whose hand-off to the moody destination is dead."""
    job_id = completed(engine, **({"destinations": ("moody", "calm")} | wanted))
    try_until_over(engine, job_id)
    assert sorted(engine.states(job_id)) == [DEAD, DONE]
    return job_id


def letters(engine: Engine, which: Matching = ANY) -> list[str]:
    with engine.store.read() as tx:
        found = dead_letters.latest(tx, DEFAULT, which, limit=10)
        assert dead_letters.count(tx, DEFAULT, which) == len(found)
    return [one.job_id for one in found]


def test_a_dead_letter_has_the_last_answer_and_every_attempt_is_kept(engine: Engine) -> None:
    job_id = given_up(engine)
    with engine.store.read() as tx:
        (one,) = dead_letters.latest(tx, DEFAULT, limit=10)
    assert (one.job_id, one.destination, one.attempts) == (job_id, "moody", 2)
    assert (one.last_status, one.last_preview) == (503, "no room left")
    assert "the receiver answered 503" in (one.last_error or "")
    tries = [one for one in engine.attempts(job_id) if one.destination == "moody"]
    assert [(one.number, one.result, one.status) for one in tries] == [
        (1, Result.FAILED, 503),
        (2, Result.DEAD, 503),
    ]
    assert all(one.ended_at >= one.began_at for one in tries)


def test_those_that_match_are_tried_again_and_no_others(engine: Engine) -> None:
    first = given_up(engine)
    moody(engine).status = 500
    engine.later(1_000)
    second = given_up(engine)
    assert letters(engine) == [second, first]
    assert letters(engine, Matching(status=503)) == [first]
    assert letters(engine, Matching(within=500)) == [second]
    assert letters(engine, Matching(destination="calm")) == []
    assert letters(engine, Matching(outcome="failed")) == []
    moody(engine).status = None
    count, follow_ups = replay_dead(engine.context, DEFAULT, Matching(status=503))
    assert (count, follow_ups) == (1, [FollowUp(Task.HAND_OFF)])
    engine.later(60)
    engine.hand_off_all()
    assert letters(engine) == [second]
    assert replay_dead(engine.context, DEFAULT, ANY)[0] == 1
    engine.hand_off_all()
    assert letters(engine) == []
    assert sorted(engine.files_of("moody")) == sorted(f"{job}-0.mp4" for job in (first, second))


def test_nothing_is_replayed_where_nothing_matches(engine: Engine) -> None:
    assert replay_dead(engine.context, DEFAULT, ANY) == (0, [])


def test_more_than_one_transaction_takes_are_all_replayed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.engine.replay.AT_ONCE", 1)
    for _ in range(2):
        given_up(engine)
    assert replay_dead(engine.context, DEFAULT, ANY)[0] == 2
    assert letters(engine) == []


def test_what_was_done_is_delivered_again_only_as_something_new(engine: Engine) -> None:
    job_id = completed(engine, destinations=("calm",))
    engine.hand_off_all()
    (done,) = engine.owed(job_id)
    with pytest.raises(NotAllowed, match="it was delivered") as refused:
        replay_hand_off(engine.context, done.id)
    assert "--as-new" in refused.value.hint
    replay_hand_off(engine.context, done.id, as_new=True)
    engine.hand_off_all()
    assert sorted(engine.files_of("calm")) == [f"{job_id}-0.again1.mp4", f"{job_id}-0.mp4"]
    assert [one.key for one in engine.owed(job_id)] == [done.key], "it is the same hand-off"


def test_an_outcome_is_told_anew_under_a_name_of_its_own(engine: Engine) -> None:
    job_id = engine.created(outcome="failed", destinations=("calm",))
    engine.look_when_due(job_id)
    engine.hand_off_all()
    for _ in range(2):
        replay_hand_off(engine.context, engine.owed(job_id)[0].id, as_new=True)
        engine.hand_off_all()
    names = [f"{job_id}.failed{again}.json" for again in ("", ".again1", ".again2")]
    assert sorted(engine.files_of("calm")) == sorted(names)


def test_something_else_under_the_name_is_a_dead_letter_at_once_and_stays(engine: Engine) -> None:
    job_id = completed(engine, destinations=("calm",))
    (engine.folder.parent / "calm" / f"{job_id}-0.mp4").write_bytes(b"mine")
    engine.hand_off_all()
    (one,) = engine.owed(job_id)
    assert (one.state, one.attempts) == (DEAD, 1)
    assert "something else is at" in (one.last_error or "")
    assert engine.files_of("calm") == {f"{job_id}-0.mp4": b"mine"}
    replay_hand_off(engine.context, one.id, as_new=True)
    engine.hand_off_all()
    assert engine.states(job_id) == [DONE]
    assert sorted(engine.files_of("calm")) == [f"{job_id}-0.again1.mp4", f"{job_id}-0.mp4"]


@pytest.mark.parametrize("archiving", [True, False])
def test_attempts_that_nobody_lives_to_end_are_kept_and_have_an_end(
    new_engine: NewEngine, archiving: bool
) -> None:
    engine = new_engine(hand_off_attempts=2)
    engine.with_folders("calm")
    job_id = completed(engine, destinations=("calm",))
    if not archiving:
        engine.archive()
    for _ in range(2):
        with engine.store.write() as tx:  # whoever takes it is killed
            assert hand_offs.claim_due(tx, worker=engine.context.worker, lease=60)
        engine.die_and_start_again()
    engine.hand_off_all()
    place = ARCHIVE if archiving else "calm"
    tries = [
        one for one in engine.attempts(job_id) if one.destination == place and one.result is not Result.DONE
    ]
    assert [(one.number, one.result) for one in tries] == [(2, Result.LOST), (3, Result.DEAD)]
    (given,) = engine.archiving(job_id) if archiving else engine.owed(job_id)
    assert given.state is DEAD
    if archiving:
        assert list(engine.files_of("calm")) == [f"{job_id}.output_unavailable-0.json"]
