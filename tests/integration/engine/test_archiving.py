"""Bringing outputs into the archive: whole or not at all, from the gateway once; and what comes if not."""

from collections.abc import Generator
from typing import Any

import pytest

from orchestrator import fault_points
from orchestrator.archive.folder import FolderArchive, FolderKeeping
from orchestrator.core.blame import Fault
from orchestrator.core.job import HandOffState, OutputSeen
from orchestrator.core.owed import owed_outputs
from orchestrator.core.routes import ARCHIVE, Route
from orchestrator.engine import archiving
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.lease import LEASE
from orchestrator.engine.replay import replay_hand_off
from orchestrator.errors import NEVER, ContentError, NotAllowed
from orchestrator.fault_points import FaultPoint
from orchestrator.store import hand_offs, outputs, workers
from orchestrator.store.attempts import Result
from tests.integration.engine.harness import Engine, NewEngine, completed, outcome_of, try_until_over
from tests.integration.engine.test_hand_off import Died, die
from tests.sandbox.harness import Sandbox

XAI = "x-ai/grok-video"
OWED, DONE, DEAD, MISSING = (
    HandOffState.OWED,
    HandOffState.DONE,
    HandOffState.DEAD,
    HandOffState.MISSING,
)


# content that is not there, or not whole


@pytest.mark.parametrize("content", ["empty", "cut", "truncated", "json", "html", "garbage"])
def test_content_that_is_not_whole_is_fetched_again_and_never_shown(engine: Engine, content: str) -> None:
    job_id = completed(engine, content=content, content_fault_times=1)
    follow_ups = engine.archive()
    assert follow_ups == [FollowUp(Task.HAND_OFF, 5.0)]
    assert engine.files() == {}
    (one,) = engine.archiving(job_id)
    assert (one.state, one.due_at) == (OWED, engine.now + 5.0)
    assert one.last_error
    engine.later(5)
    engine.hand_off()
    assert engine.states(job_id) == [DONE]
    assert engine.archiving(job_id)[0].last_error is None
    assert [(one.number, one.result) for one in engine.attempts(job_id) if one.destination == ARCHIVE] == [
        (1, Result.FAILED),
        (2, Result.DONE),
    ]


def test_an_output_of_another_size_than_announced_is_not_taken(engine: Engine) -> None:
    job_id = completed(engine, asset_bytes="wrong")
    engine.archive()
    assert engine.files() == {}
    assert "the job's asset says" in (engine.archiving(job_id)[0].last_error or "")


def test_an_output_of_the_announced_size_is(engine: Engine) -> None:
    job_id = completed(engine, asset_bytes="right", content_length=True)
    engine.hand_off()
    assert engine.states(job_id) == [DONE]


def test_content_beyond_the_limit_is_dead_at_once_and_its_job_is_told_of_downstream(
    new_engine: NewEngine,
) -> None:
    engine = new_engine(output_max_bytes=1024)
    job_id = completed(engine, content_bytes=100_000)
    engine.hand_off_all()
    assert engine.archiving(job_id)[0].state is DEAD
    assert engine.states(job_id) == [MISSING, DONE]
    assert "OUTPUT_MAX_BYTES" in (engine.archiving(job_id)[0].last_error or "")
    assert list(engine.files()) == [f"{job_id}.output_unavailable-0.json"]
    assert not engine.outputs(job_id)[0].missing


def test_content_that_was_never_made_is_an_outcome_of_its_own(engine: Engine) -> None:
    job_id = completed(engine, content="missing")
    began = engine.now
    try_until_over(engine, job_id)
    assert engine.now - began >= engine.settings.content_patience_seconds
    assert engine.states(job_id) == [MISSING, DONE]
    assert engine.outputs(job_id)[0].missing
    told = outcome_of(engine, f"{job_id}.output_missing-0.json")
    assert (told["outcome"], told["blame"]) == ("output_missing-0", Fault.OUTPUT_MISSING)
    assert (told["state"], told["gateway_id"]) == ("completed", engine.job(job_id).gateway_id)


def test_content_that_comes_a_little_late_is_not_missing(engine: Engine) -> None:
    job_id = completed(engine, content_error="missing_video_uri", content_error_times=2)
    try_until_over(engine, job_id)
    assert engine.states(job_id) == [DONE]


def test_an_index_that_silently_gives_the_first_output_again_is_never_delivered(engine: Engine) -> None:
    job_id = completed(engine, {"model": XAI, "sample_count": 2}, outputs=1, outputs_listed=False)
    # The gateway lists none, so one is owed; asked for two, a person may find out that there is one.
    with engine.store.write() as tx:
        outputs.learn_all(tx, [(job_id, OutputSeen(1))])
        hand_offs.owe(tx, list(owed_outputs(engine.job(job_id), (OutputSeen(1),), engine.now)))
    try_until_over(engine, job_id)
    assert engine.states(job_id) == [DONE, MISSING, DONE]
    assert list(engine.files()) == [f"{job_id}-0.mp4", f"{job_id}.output_missing-1.json"]
    assert "there is none" in (engine.archiving(job_id)[1].last_error or "")


def test_an_output_that_never_comes_whole_is_dead_in_the_end_and_a_person_may_try_again(
    new_engine: NewEngine, sandbox: Sandbox
) -> None:
    engine = new_engine(hand_off_attempts=3)
    job_id = completed(engine, content="cut", content_fault_times=3)
    waits = []
    while engine.archiving(job_id)[0].state is OWED:
        due_at = engine.archiving(job_id)[0].due_at
        assert due_at is not None
        waits.append(due_at - engine.now)
        engine.later(due_at - engine.now)
        engine.archive()
    assert waits == [0.0, 5.0, 10.0]
    (dead,), (_, told) = engine.archiving(job_id), engine.owed(job_id)
    assert (dead.state, dead.attempts, dead.due_at) == (DEAD, 3, None)
    assert told.outcome == "output_unavailable-0"
    replay_hand_off(engine.context, dead.id)
    engine.hand_off_all()
    assert engine.states(job_id) == [DONE, DONE]
    with pytest.raises(NotAllowed):
        replay_hand_off(engine.context, dead.id)


def test_what_was_missing_may_be_asked_for_again(new_engine: NewEngine) -> None:
    engine = new_engine(content_patience_seconds=0)
    job_id = completed(engine, content_error="missing_video_uri", content_error_times=1)
    engine.archive()
    missing = engine.archiving(job_id)[0]
    assert (missing.state, engine.outputs(job_id)[0].missing) == (MISSING, True)
    assert replay_hand_off(engine.context, missing.id) == [FollowUp(Task.HAND_OFF)]
    engine.hand_off_all()
    assert (engine.archiving(job_id)[0].state, engine.outputs(job_id)[0].missing) == (DONE, False)
    assert f"{job_id}-0.mp4" in engine.files()


# leases


def slow(engine: Engine, monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[float]:
    """Let each piece of content take so long; the moments at which a lease is renewed."""
    renewed: list[float] = []
    real, real_write = hand_offs.renew_if_ours, FolderKeeping.write

    def renew(*args: Any, **more: Any) -> bool:
        renewed.append(engine.now)
        return real(*args, **more)

    def write(self: Any, chunk: bytes) -> None:
        engine.later(seconds)
        real_write(self, chunk)

    monkeypatch.setattr(FolderKeeping, "write", write)
    monkeypatch.setattr(hand_offs, "renew_if_ours", renew)
    engine.context.clock = lambda: engine.now
    return renewed


def test_a_lease_is_renewed_however_slowly_bytes_flow(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = completed(engine, content_bytes=1_500_000)
    renewed = slow(engine, monkeypatch, seconds=LEASE - 1)
    assert engine.archive() == [FollowUp(Task.HAND_OFF)]
    assert len(renewed) >= 5
    (one,) = engine.archiving(job_id)
    assert (one.state, one.fence) == (DONE, 1)


def test_a_lease_is_not_renewed_while_bytes_come_quickly(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    completed(engine, content_bytes=1_500_000)
    renewed = slow(engine, monkeypatch, seconds=1)
    assert engine.archive() == [FollowUp(Task.HAND_OFF)]
    assert len(renewed) == 1, "before it is kept, which may take a while"


def test_an_attempt_that_lost_its_lease_while_fetching_leaves_the_rest_to_the_other(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = completed(engine, content_bytes=1_000_000)
    slow(engine, monkeypatch, seconds=200)  # asleep for longer than its lease
    real_write = FolderKeeping.write

    def overtaken(self: FolderKeeping, chunk: bytes) -> None:
        real_write(self, chunk)
        with engine.store.write() as tx:
            workers.join(tx, "other", host="there", pid=3)
            assert hand_offs.claim_due(tx, worker="other", lease=60)

    monkeypatch.setattr(FolderKeeping, "write", overtaken)
    assert engine.archive() == []
    assert engine.files() == {}
    (one,) = engine.archiving(job_id)
    assert (one.leased_by, one.fence, one.last_error) == ("other", 2, None)


# deaths


@pytest.mark.parametrize(
    "point", [FaultPoint.HAND_OFF_CLAIMED, FaultPoint.ARCHIVING_STAGED, FaultPoint.HAND_OFF_PUBLISHED]
)
def test_a_death_at_any_point_leaves_the_output_in_the_archive_once(
    engine: Engine, point: FaultPoint
) -> None:
    job_id = completed(engine)
    fault_points.arm(point, die)
    with pytest.raises(Died):
        engine.archive()
    engine.die_and_start_again()
    engine.hand_off_all()
    assert engine.states(job_id) == [DONE]
    assert len(engine.archived_files()) == 1
    (output,) = engine.outputs(job_id)
    assert output.sha256 == engine.archived_files()[0].name


# fanning out


def test_an_output_is_fetched_once_however_many_destinations_want_it(
    new_engine: NewEngine, sandbox: Sandbox
) -> None:
    engine = new_engine()
    engine.with_folders("a", "b", "c")
    job_id = completed(engine, destinations=("a", "b", "c"))
    engine.hand_off_all()
    assert engine.states(job_id) == [DONE] * 3
    assert sum(row["content_gets"] for row in sandbox.truth()) == 1
    assert len(engine.archived_files()) == 1


def test_destinations_are_waited_for_by_nobody_and_wait_for_the_archive(engine: Engine) -> None:
    job_id = completed(engine, content_error="missing_video_uri", content_error_times=1)
    engine.hand_off_all()
    (waits,) = engine.owed(job_id)
    assert (waits.state, waits.due_at, waits.attempts) == (OWED, None, 0)
    assert engine.sweep() == [FollowUp(Task.HAND_OFF, 5.0)], "for the archive alone"


def test_a_copy_that_is_damaged_is_fetched_anew_before_anybody_gets_it(
    engine: Engine, sandbox: Sandbox
) -> None:
    job_id = completed(engine)
    engine.archive()
    (kept,) = engine.archived_files()
    body = kept.read_bytes()
    kept.chmod(0o600)
    kept.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    engine.hand_off_all()
    assert engine.states(job_id) == [DONE]
    assert list(engine.files().values()) == [body]
    assert sum(row["content_gets"] for row in sandbox.truth()) == 2
    results = [(one.destination, one.result) for one in engine.attempts(job_id)]
    assert results == [
        (ARCHIVE, Result.DONE),
        ("folder", Result.FAILED),
        (ARCHIVE, Result.DONE),
        ("folder", Result.DONE),
    ]


# links


def test_who_wants_links_is_told_of_all_outputs_in_one_document(engine: Engine) -> None:
    engine.with_folders("told")
    job_id = completed(engine, {"sample_count": 2}, destinations=(Route("told", link=True),))
    engine.hand_off_all()
    (name,) = engine.files_of("told")
    assert name == f"{job_id}.completed.json"
    told = engine.told("told", name)
    kept = engine.outputs(job_id)
    assert [(one["index"], one["bytes"], one["sha256"]) for one in told["outputs"]] == [
        (one.index, one.bytes, one.sha256) for one in kept
    ]
    assert all(one["output_url"] for one in told["outputs"])
    assert (told["outcome"], told["error"], told["blame"]) == ("completed", None, None)


def test_links_are_told_of_what_there_is_and_of_what_is_not(engine: Engine) -> None:
    engine.with_folders("told")
    job_id = completed(
        engine, {"model": XAI, "sample_count": 2}, outputs=1, destinations=(Route("told", link=True),)
    )
    with engine.store.write() as tx:
        outputs.learn_all(tx, [(job_id, OutputSeen(1))])
        hand_offs.owe(tx, list(owed_outputs(engine.job(job_id), (OutputSeen(1),), engine.now)))
    try_until_over(engine, job_id)
    assert list(engine.files_of("told")) == [f"{job_id}.completed.json", f"{job_id}.output_missing-1.json"]
    links = [one["output_url"] for one in engine.told("told", f"{job_id}.completed.json")["outputs"]]
    assert [bool(link) for link in links] == [True, False]


def test_without_a_key_a_document_tells_of_outputs_without_links(new_engine: NewEngine) -> None:
    engine = new_engine(secret_keys="")
    job_id = completed(engine, {"model": XAI, "sample_count": 2}, outputs=1, outputs_listed=False)
    with engine.store.write() as tx:
        outputs.learn_all(tx, [(job_id, OutputSeen(1))])
        hand_offs.owe(tx, list(owed_outputs(engine.job(job_id), (OutputSeen(1),), engine.now)))
    try_until_over(engine, job_id)
    told = outcome_of(engine, f"{job_id}.output_missing-1.json")
    assert [one["output_url"] for one in told["outputs"]] == [None, None]


def test_links_are_not_told_of_outputs_where_there_are_none(engine: Engine) -> None:
    engine.with_folders("told")
    job_id = completed(engine, content="missing", destinations=(Route("told", link=True),))
    try_until_over(engine, job_id)
    assert list(engine.files_of("told")) == [f"{job_id}.output_missing-0.json"]
    assert sorted(engine.states(job_id)) == [DONE, MISSING]


def test_who_was_told_before_an_output_came_after_all_is_told_anew(new_engine: NewEngine) -> None:
    engine = new_engine(content_patience_seconds=0)
    engine.with_folders("told")
    job_id = completed(
        engine,
        content_error="missing_video_uri",
        content_error_times=1,
        destinations=(Route("told", link=True),),
    )
    engine.hand_off_all()
    replay_hand_off(engine.context, engine.archiving(job_id)[0].id)
    engine.hand_off_all()
    assert list(engine.files_of("told")) == [f"{job_id}.completed.json", f"{job_id}.output_missing-0.json"]


def test_an_attempt_keeps_its_lease_while_it_reads_what_the_archive_has_already(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[object] = []
    whole = FolderArchive.read

    def slow(archive: FolderArchive, sha256: str) -> Generator[bytes, None, None]:
        for _ in range(5):
            engine.later(LEASE / 3)
            yield b""
        with engine.store.write() as tx:
            taken.append(hand_offs.claim_due(tx, worker=engine.context.worker, lease=LEASE))
        yield from whole(archive, sha256)

    job_id = completed(engine)
    engine.hand_off_all()
    replay_hand_off(engine.context, engine.archiving(job_id)[0].id, as_new=True)
    engine.context.clock = lambda: engine.now
    with monkeypatch.context() as patched:
        patched.setattr(FolderArchive, "read", slow)
        engine.archive()
    assert taken == [None]
    assert [one.state for one in engine.archiving(job_id)] == [DONE]


def test_what_the_archive_has_stays_where_it_cannot_be_fetched_anew(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise ContentError("the gateway has it no longer", retry=NEVER)

    job_id = completed(engine)
    engine.hand_off_all()
    before = engine.outputs(job_id)
    (owed,) = engine.owed(job_id)
    replay_hand_off(engine.context, engine.archiving(job_id)[0].id, as_new=True)
    with monkeypatch.context() as patched:
        patched.setattr(archiving, "fetch", refused)
        engine.archive()
    assert [one.state for one in engine.archiving(job_id)] == [DEAD]
    assert engine.outputs(job_id) == before
    replay_hand_off(engine.context, owed.id, as_new=True)
    engine.hand_off_all()
    assert engine.states(job_id) == [DONE]
    assert [one.outcome for one in engine.owed(job_id)] == [None], "nobody is told that it is lacking"
