"""Compares rows, files and logs with the gateway's truth: what was lost, doubled, torn or left over."""

import hashlib
import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.core.job import HandOff, HandOffState, Job
from orchestrator.core.lifecycle import OPEN, Seen, State
from orchestrator.core.routes import Outcome
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import Installation
from tests.soak.cases import Case

LISTED = 100  # newest jobs that the gateway's list reaches, and with it the search for what a create made
IN_REACH = 30.0  # seconds in that list in which the search must come by, whatever befalls it
READERS = 8  # outputs that are compared at once: the gateway sends some of them slowly
Owed = Mapping[str, Sequence[HandOff]]
Row = Mapping[str, Any]  # of the truth


@dataclass
class Findings:
    """What was found at the end. Every forbidden list must be empty."""

    jobs: int = 0
    files: int = 0
    found_again: int = 0
    left_to_person: list[str] = field(default_factory=list)
    forbidden: dict[str, list[str]] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether nothing forbidden happened."""
        return not any(self.forbidden.values())


class FileWatch:
    """A file that is there is never written again: a second hand-off would show here."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[int, int]] = {}
        self.replaced: list[str] = []

    def look(self, files: set[Path]) -> None:
        """Compare with the last time."""
        for file in files:
            if not file.name.startswith("."):
                now = (file.stat().st_ino, file.stat().st_mtime_ns)
                if self._shown.setdefault(file.name, now) != now:
                    self.replaced.append(file.name)


def audit(
    installation: Installation, sandbox: Sandbox, case_of: Mapping[str, Case], watch: FileWatch
) -> Findings:
    """Look at everything once nothing moves any more."""
    jobs = {job.id: job for job in installation.database.jobs()}
    owed = installation.database.everything_owed()
    rows = sandbox.truth()
    made = _made(rows, case_of)
    unfinished = installation.database.unfinished(one for one in case_of if one in jobs)
    to_person = [one for one in unfinished if jobs[one].needs_person]
    every = [one for some in owed.values() for one in some]
    done = [one for one in every if one.state is HandOffState.DONE]
    locations = Counter(Path(str(one.location)) for one in done)
    return Findings(
        jobs=len(case_of),
        files=len(done),
        found_again=sum(_was_found_again(installation, job) for job in jobs.values()),
        left_to_person=[
            f"{one} ({case_of[one].name}; the gateway made {len(made[one])})" for one in to_person
        ],
        forbidden={
            "lost": [f"{one}: {jobs[one].state}" for one in unfinished if one not in to_person]
            + [f"{one}: no such row" for one in case_of if one not in jobs],
            "created twice": [f"{job}: {ids}" for job, ids in made.items() if len(ids) > 1],
            "left to a person, but findable": [
                one for one in to_person if _findable(jobs[one], made[one], rows)
            ],
            "ended wrongly": list(_ended_wrongly(case_of, jobs, owed)),
            "handed off twice": watch.replaced
            + [key for key, count in installation.handed_off().items() if count > 1]
            + [f"{path} is shared" for path, count in locations.items() if count > 1],
            "given up": [one.key for one in every if one.state not in (HandOffState.DONE, HandOffState.OWED)],
            "missing": [str(path) for path in locations if not path.exists()],
            "torn": list(_torn(sandbox, jobs, done)),
            "left lying about": sorted(map(str, installation.files() - set(locations))),
        },
    )


def _made(rows: Sequence[Row], case_of: Mapping[str, Case]) -> dict[str, list[str]]:
    """The gateway's jobs by the job of ours that they were made for."""
    made: dict[str, list[str]] = defaultdict(list, {job: [] for job in case_of})
    for row in rows:
        made[(row["session_id"] or "").rpartition(".")[0]].append(row["id"])
    return made


def _findable(job: Job, made: Sequence[str], rows: Sequence[Row]) -> bool:
    """Whether what the create made was listed for long enough once the create was uncertain."""
    moments = sorted(float(row["created_at"]) for row in rows)
    for at in (float(row["created_at"]) for row in rows if row["id"] in made):
        newer = moments[bisect_right(moments, at) :]
        pushed_off_at = newer[LISTED - 1] if len(newer) >= LISTED else math.inf
        if pushed_off_at - max(at, job.state_since) >= IN_REACH:
            return True
    return False


def _was_found_again(installation: Installation, job: Job) -> bool:
    if job.gateway_id is None:
        return False
    return any(one.seen is Seen.LOST for one in installation.database.timeline(job.id))


def _ended_wrongly(case_of: Mapping[str, Case], jobs: Mapping[str, Job], owed: Owed) -> Iterator[str]:
    for job_id, case in case_of.items():
        job = jobs.get(job_id)
        if job is None or job.state in OPEN:
            continue  # counted elsewhere
        names = range(case.outputs) if case.end is State.COMPLETED else [case.end]
        keys = sorted(f"{job_id}/{name}/folder" for name in names)
        brought = sorted(one.key for one in owed[job_id] if one.outcome != Outcome.UNCERTAIN)
        if job.state is not case.end or brought != keys:
            yield f"{job_id} ({case.name}): {job.state}, {[one.key for one in owed[job_id]]}"


def _torn(sandbox: Sandbox, jobs: Mapping[str, Job], done: Sequence[HandOff]) -> Iterator[str]:
    with ThreadPoolExecutor(READERS) as readers:
        wholes = readers.map(lambda one: _is_whole(sandbox, jobs[one.job_id], one), done)
        yield from (one.key for one, whole in zip(done, wholes, strict=True) if not whole)


def _is_whole(sandbox: Sandbox, job: Job, owed: HandOff) -> bool:
    """Whether the file has the bytes that the row tells of, and those that the gateway serves."""
    path = Path(str(owed.location))
    if not path.exists():
        return False
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    right = owed.sha256
    if owed.output_index is not None:
        right = hashlib.sha256(sandbox.content(str(job.gateway_id), owed.output_index)).hexdigest()
    return len(content) == owed.bytes and digest == owed.sha256 == right
