"""What must hold at the end of every story, whatever happened in it."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from orchestrator.core.job import HandOff, HandOffKind, HandOffState
from orchestrator.core.lifecycle import State
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.sandbox import Sandbox


def assert_delivered_once(
    orchestrator: Orchestrator, sandbox: Sandbox, job_ids: Iterable[str], outputs: int = 1
) -> None:
    """Each job is completed, made once by the gateway, and each of its outputs is one whole right file."""
    jobs = {job.id: job for job in orchestrator.database.jobs()}
    owed, made = orchestrator.database.everything_owed(), _made(sandbox)
    for job_id in job_ids:
        job = jobs[job_id]
        assert job.state is State.COMPLETED
        assert made[job_id] == [job.gateway_id], "the gateway made other jobs than the one we know"
        assert [one.key for one in owed[job_id]] == [f"{job_id}/{index}/folder" for index in range(outputs)]
        for one in owed[job_id]:
            assert_whole(one)
            assert job.gateway_id is not None
            assert one.output_index is not None
            served = sandbox.content(job.gateway_id, one.output_index)
            assert hashlib.sha256(served).hexdigest() == one.sha256, "the file is not what the gateway made"
    assert_nothing_else(orchestrator)


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


def assert_nothing_else(orchestrator: Orchestrator) -> None:
    """Every file belongs to a hand-off that is done, no half file is left, none was handed off twice."""
    owed = [one for some in orchestrator.database.everything_owed().values() for one in some]
    done = [Path(str(one.location)) for one in owed if one.state is HandOffState.DONE]
    assert len(done) == len(set(done)), "two hand-offs share a file"
    assert orchestrator.files() == set(done)
    assert not {key: count for key, count in orchestrator.handed_off().items() if count > 1}


def outcome_of(orchestrator: Orchestrator, job_id: str) -> dict[str, Any]:
    """The document that told downstream how a job ended; there must be one."""
    owed = [one for one in orchestrator.database.owed(job_id) if one.kind is HandOffKind.OUTCOME]
    assert len(owed) == 1
    assert_whole(owed[0])
    document: dict[str, Any] = json.loads(Path(str(owed[0].location)).read_text())
    return document
