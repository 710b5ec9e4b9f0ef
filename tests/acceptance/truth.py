"""What must hold at the end of every story, whatever happened in it."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from orchestrator.core.job import HandOff, HandOffKind, HandOffState, Source
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import Outcome
from tests.acceptance.database import Database
from tests.acceptance.sandbox import Sandbox

AT_ONCE = 40  # files asked for again: in some stories the gateway serves them slowly

BY_LOOKS = {Source.POLL, Source.LIST}  # where several are due at once, a list may tell before a GET does


class Installation(Protocol):
    """One process or many: where jobs are kept and results go."""

    @property
    def database(self) -> Database: ...

    def files(self) -> set[Path]: ...

    def handed_off(self) -> Counter[str]: ...


def assert_delivered_once(
    orchestrator: Installation, sandbox: Sandbox, job_ids: Iterable[str], outputs: int = 1
) -> None:
    """Each job is completed, made once by the gateway, and each of its outputs is one whole right file."""
    jobs = {job.id: job for job in orchestrator.database.jobs()}
    owed, made = orchestrator.database.everything_owed(), _made(sandbox)
    everything: list[tuple[str, HandOff]] = []
    for job_id in job_ids:
        job = jobs[job_id]
        assert job.state is State.COMPLETED
        assert job.gateway_id is not None
        assert made[job_id] == [job.gateway_id], "the gateway made other jobs than the one we know"
        brought = [one for one in owed[job_id] if one.outcome != Outcome.UNCERTAIN]
        assert [one.key for one in brought] == [f"{job_id}/{index}/folder" for index in range(outputs)]
        everything += [(job.gateway_id, one) for one in brought]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert all(pool.map(lambda one: _is_what_was_made(sandbox, *one), everything))
    assert_nothing_else(orchestrator)


def _is_what_was_made(sandbox: Sandbox, gateway_id: str, owed: HandOff) -> bool:
    assert_whole(owed)
    assert owed.output_index is not None
    served = sandbox.content(gateway_id, owed.output_index)
    assert hashlib.sha256(served).hexdigest() == owed.sha256, "the file is not what the gateway made"
    return True


def _made(sandbox: Sandbox) -> dict[str, list[str]]:
    """The gateway's jobs by the job of ours that they were made for."""
    made: dict[str, list[str]] = defaultdict(list)
    for row in sandbox.truth():
        made[(row["session_id"] or "").rpartition(".")[0]].append(row["id"])
    return made


def assert_made_once(sandbox: Sandbox, job_id: str, gateway_id: str | None) -> None:
    """The gateway made one job for this one of ours, and it is the one we know."""
    assert _made(sandbox)[job_id] == [gateway_id]


def assert_whole(owed: HandOff) -> None:
    """What was owed is a file, and its bytes are those that the row tells of."""
    assert owed.state is HandOffState.DONE, owed.last_error
    assert owed.location is not None
    content = Path(owed.location).read_bytes()
    assert len(content) == owed.bytes
    assert hashlib.sha256(content).hexdigest() == owed.sha256


def assert_nothing_else(orchestrator: Installation) -> None:
    """Every file belongs to a hand-off that is done, no half file is left, none was handed off twice."""
    owed = [one for some in orchestrator.database.everything_owed().values() for one in some]
    done = [Path(str(one.location)) for one in owed if one.state is HandOffState.DONE]
    assert len(done) == len(set(done)), "two hand-offs share a file"
    assert orchestrator.files() == set(done)
    assert not {key: count for key, count in orchestrator.handed_off().items() if count > 1}


def outcome_of(orchestrator: Installation, job_id: str) -> dict[str, Any]:
    """The document that told downstream how a job ended; there must be one."""
    told = [one for one in orchestrator.database.owed(job_id) if one.kind is HandOffKind.OUTCOME]
    owed = [one for one in told if one.outcome != Outcome.UNCERTAIN]
    assert len(owed) == 1
    assert_whole(owed[0])
    document: dict[str, Any] = json.loads(Path(str(owed[0].location)).read_text())
    return document
