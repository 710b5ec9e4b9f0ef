"""What the archive has may be damaged or out of reach: who is told, who waits, and who is not to blame."""

from collections.abc import Generator
from typing import Any

import pytest

from orchestrator.archive.folder import FolderArchive
from orchestrator.core.job import HandOffState
from orchestrator.errors import DestinationError
from orchestrator.store import destinations
from tests.integration.engine.harness import Engine, completed
from tests.sandbox.harness import Sandbox

OWED, DONE = HandOffState.OWED, HandOffState.DONE


def damage(engine: Engine) -> None:
    """Change the last byte of what the archive has."""
    (kept,) = engine.archived_files()
    body = kept.read_bytes()
    kept.chmod(0o600)
    kept.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))


def content_gets(sandbox: Sandbox) -> int:
    return sum(int(row["content_gets"]) for row in sandbox.truth())


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
    def away(*_: Any) -> Generator[bytes, None, None]:
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
