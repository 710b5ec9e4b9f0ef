"""How long a deployment took to be done with everything after something happened to it."""

from orchestrator.core.job import HandOffState
from tests.acceptance.fleet import Fleet
from tests.acceptance.measured import doubled, lost, measured
from tests.acceptance.processes import Child
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once
from tests.acceptance.waiting import until


def recovered(
    story: str,
    fleet: Fleet,
    sandbox: Sandbox,
    jobs: list[str],
    *,
    since: float,
    floor: float = 0.0,
    files: bool = True,
    untold: int = 0,
) -> float:
    """Wait until these are handed off, once each, and keep what that cost; the seconds beyond the floor.

    Counted from `since` (epoch seconds), when the fault began or was over; nothing could be done sooner than
    `floor` seconds after it, nor before the gateway ended the last job. What is not done in time is kept as
    lost, and fails the story. Some jobs must be `load.lasting`, or a slow machine is done before the fault.
    Without `files` the story looks at them itself; `untold` is how many hand-offs a process did and did not
    live to tell of.
    """
    try:
        fleet.database.wait(jobs)
        until("all is in the logs", lambda: len(_not_told(fleet, jobs)) <= untold)
    finally:
        left, twice = lost(fleet, jobs), doubled(fleet)
        recovery = None if left else last_hand_off(fleet) - since
        floor = max(floor, _last_end(sandbox, jobs) - since)
        measured(story, jobs=len(jobs), lost=left, doubled=twice, recovery=recovery, floor=floor)
    assert recovery is not None
    if files:
        assert_delivered_once(fleet, sandbox, jobs)
    return recovery - floor


def last_hand_off(fleet: Fleet) -> float:
    """When the last hand-off was done, by the database's clock, which is this machine's."""
    owed = [one for some in fleet.database.everything_owed().values() for one in some]
    return max(one.done_at for one in owed if one.done_at is not None)


def _not_told(fleet: Fleet, jobs: list[str]) -> set[str]:
    """Those jobs of which no process said that something was handed off: a line follows its commit."""
    return set(jobs) - {key.partition("/")[0] for key in fleet.handed_off() if not key.endswith("/archive")}


def _last_end(sandbox: Sandbox, jobs: list[str]) -> float:
    ends = {(row["session_id"] or "").rpartition(".")[0]: row["ends_at"] for row in sandbox.truth()}
    return max((float(ends[job]) for job in jobs if ends.get(job) is not None), default=0.0)


def shares(fleet: Fleet, role: str = "worker") -> list[int]:
    """How many hand-offs each process of a role has done, dead ones too, in the order of their starts."""
    return [share(run) for run in fleet.runs if run.out.name.startswith(role)]


def share(run: Child) -> int:
    """How many hand-offs a process has done."""
    return sum(line["event"] == "handed_off" for line in run.events())


def held(fleet: Fleet, worker: Child) -> list[str]:
    """The hand-offs that this worker has leased."""
    name = next(line["worker"] for line in worker.events() if line["event"] == "started")
    owed = [one for some in fleet.database.every_hand_off().values() for one in some]
    return [one.key for one in owed if one.leased_by == name and one.state is HandOffState.OWED]
