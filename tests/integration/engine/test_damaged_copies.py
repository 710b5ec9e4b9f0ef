"""What the archive has may be damaged or out of reach: who is told, who waits, and who is not to blame."""

import json
from collections.abc import Generator
from typing import Any

import pytest
from sqlalchemy import delete, update

from orchestrator.archive.folder import FolderArchive
from orchestrator.core.job import HandOffState, OutputSeen
from orchestrator.core.owed import owed_outputs
from orchestrator.core.routes import ARCHIVE, Route
from orchestrator.engine.replay import replay_hand_off
from orchestrator.errors import ContentDamaged, DestinationError
from orchestrator.sinks import Parcel
from orchestrator.sinks.folder import FolderSink, FolderStaging
from orchestrator.store import destinations, hand_offs, outputs, schema, workers
from tests.integration.engine.harness import Engine, NewEngine, completed
from tests.sandbox.harness import Sandbox

XAI = "x-ai/grok-video"
OWED, DONE, DEAD = HandOffState.OWED, HandOffState.DONE, HandOffState.DEAD


def damage(engine: Engine) -> None:
    """Change the last byte of what the archive has."""
    (kept,) = engine.archived_files()
    body = kept.read_bytes()
    kept.chmod(0o600)
    kept.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))


def content_gets(sandbox: Sandbox) -> int:
    return sum(int(row["content_gets"]) for row in sandbox.truth())


@pytest.mark.parametrize(("files", "links"), [("folder", "told"), ("told", "folder")])
def test_who_wants_links_is_told_once_though_the_copy_was_damaged_before_or_after(
    engine: Engine, files: str, links: str
) -> None:
    engine.with_folders("told")
    job_id = completed(engine, destinations=(files, Route(links, link=True)))
    engine.archive()
    damage(engine)
    engine.hand_off_all()
    assert engine.states(job_id) == [DONE, DONE]
    told = engine.files_of("told") if links == "told" else engine.files()
    assert list(told) == [f"{job_id}.completed.json"]
    assert json.loads(told[f"{job_id}.completed.json"])["outputs"][0]["output_url"]


def test_who_was_told_is_not_told_anew_where_an_output_is_given_up_once_more(engine: Engine) -> None:
    engine.with_folders("told")
    job_id = completed(
        engine, {"model": XAI, "sample_count": 2}, outputs=1, destinations=(Route("told", link=True),)
    )
    with engine.store.write() as tx:
        outputs.learn_all(tx, [(job_id, OutputSeen(1))])
        hand_offs.owe(tx, list(owed_outputs(engine.job(job_id), (OutputSeen(1),), engine.now)))
    engine.hand_off_all()
    replay_hand_off(engine.context, engine.archiving(job_id)[1].id)
    engine.hand_off_all()
    told = [f"{job_id}.completed.json", f"{job_id}.output_missing-1.json"]
    assert list(engine.files_of("told")) == told


def test_who_was_told_is_told_anew_once_an_output_that_was_lacking_is_there(new_engine: NewEngine) -> None:
    engine = new_engine(content_patience_seconds=0)
    engine.with_folders("told")
    missing = {"content_error": "missing_video_uri", "content_error_times": 1}
    job_id = completed(engine, {"sample_count": 2}, destinations=(Route("told", link=True),), **missing)
    engine.hand_off_all()
    told = [f"{job_id}.completed.json", f"{job_id}.output_missing-0.json"]
    assert list(engine.files_of("told")) == told
    replay_hand_off(engine.context, engine.archiving(job_id)[0].id)
    engine.hand_off_all()
    assert list(engine.files_of("told")) == [f"{job_id}.completed.again1.json", *told]
    links = [one["output_url"] for one in engine.told("told", f"{job_id}.completed.again1.json")["outputs"]]
    assert all(links)


def test_a_copy_that_is_damaged_each_time_is_given_up_after_all_attempts(
    new_engine: NewEngine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: Any, **__: Any) -> Generator[bytes, None, None]:
        yield b"something else"
        raise ContentDamaged("damaged")

    engine = new_engine(hand_off_attempts=3)
    job_id = completed(engine)
    monkeypatch.setattr(FolderArchive, "read", damaged)
    engine.hand_off_all()
    assert engine.states(job_id) == [DEAD]
    assert [one.number for one in engine.attempts(job_id) if one.destination != ARCHIVE] == [1, 2, 3]
    assert content_gets(sandbox) == 3
    assert engine.files() == {}


def test_a_copy_that_is_damaged_and_cannot_be_removed_is_tried_again_later(
    engine: Engine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: Any) -> None:
        raise DestinationError("it is read-only")

    job_id = completed(engine)
    engine.archive()
    damage(engine)
    with monkeypatch.context() as patched:
        patched.setattr(FolderArchive, "remove", read_only)
        engine.hand_off_all()
    (waits,) = engine.owed(job_id)
    assert (waits.state, waits.due_at, waits.leased_by) == (OWED, engine.now + 5.0, None)
    assert "could not remove it: it is read-only" in (waits.last_error or "")
    assert content_gets(sandbox) == 1
    engine.later(5)
    engine.hand_off_all()
    assert engine.states(job_id) == [DONE]
    assert content_gets(sandbox) == 2


def test_an_archive_that_cannot_be_read_is_not_counted_against_the_destination(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> Generator[bytes, None, None]:
        raise DestinationError("it is not mounted")
        yield b""

    job_id = completed(engine)
    engine.archive()
    with monkeypatch.context() as patched:
        patched.setattr(FolderArchive, "read", away)
        engine.hand_off_all()
    assert "the archive could not be read: it is not mounted" in (engine.owed(job_id)[0].last_error or "")
    with engine.store.read() as tx:
        assert destinations.failing(tx) == {}
    engine.later(5)
    engine.hand_off_all()
    assert engine.states(job_id) == [DONE]


def test_a_person_can_have_a_damaged_copy_mended_although_nobody_else_wants_it(engine: Engine) -> None:
    job_id = completed(engine, destinations=())
    engine.hand_off_all()
    (whole,) = (file.read_bytes() for file in engine.archived_files())
    damage(engine)
    replay_hand_off(engine.context, engine.archiving(job_id)[0].id, as_new=True)
    engine.hand_off_all()
    assert [file.read_bytes() for file in engine.archived_files()] == [whole]
    assert engine.archiving(job_id)[0].state is DONE


@pytest.mark.parametrize(("state", "as_new"), [(DEAD, False), (HandOffState.MISSING, False), (DONE, True)])
def test_what_is_replayed_of_a_job_from_before_there_was_an_archive_is_fetched(
    engine: Engine, state: HandOffState, as_new: bool
) -> None:
    job_id = completed(engine)
    (owed,) = engine.owed(job_id)
    with engine.store.write() as tx:  # as an upgrade leaves it: only what is owed is owed to the archive
        tx.execute(delete(schema.hand_offs).where(schema.hand_offs.c.destination == ARCHIVE))
        one = schema.hand_offs.c.id == owed.id
        tx.execute(update(schema.hand_offs).where(one).values(state=state, due_at=None))
    replay_hand_off(engine.context, owed.id, as_new=as_new)
    engine.hand_off_all()
    assert engine.states(job_id) == [DONE]
    assert len(engine.files()) == 1


class MistakenSink(FolderSink):
    """Tells the hash of something else than was written."""

    def stage(self, parcel: Parcel, attempt: int) -> FolderStaging:
        staging = super().stage(parcel, attempt)
        staging.sha256 = lambda: "0" * 64  # type: ignore[method-assign]
        return staging


def test_a_destination_that_hashes_wrongly_costs_the_archive_nothing(
    engine: Engine, sandbox: Sandbox
) -> None:
    engine.sinks = engine.sinks | {"mistaken": MistakenSink(engine.folder.parent / "mistaken")}
    job_id = completed(engine, destinations=("mistaken",))
    kept = engine.archive() and engine.archived_files()
    engine.hand_off()
    (one,) = engine.owed(job_id)
    assert (one.state, one.due_at) == (OWED, engine.now + 5.0)
    assert "staged other bytes than the archive has" in (one.last_error or "")
    assert engine.archived_files() == kept
    assert content_gets(sandbox) == 1


def test_an_attempt_that_lost_its_lease_removes_no_copy(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = completed(engine, destinations=())
    engine.hand_off_all()
    replay_hand_off(engine.context, engine.archiving(job_id)[0].id, as_new=True)

    def read(*_: object, **__: object) -> Generator[bytes, None, None]:
        engine.later(1_000)  # it stood still, and another attempt has kept a sound copy since
        with engine.store.write() as tx:
            workers.join(tx, "other", host="there", pid=3)
            assert hand_offs.claim_due(tx, worker="other", lease=60)
        raise ContentDamaged("it was damaged when it was read")

    monkeypatch.setattr(FolderArchive, "read", read)
    assert engine.archive() == []
    assert len(engine.archived_files()) == 1
    assert engine.archiving(job_id)[0].leased_by == "other"
