"""The database of an orchestrator, opened beside it as a second program would."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import select, update

from orchestrator import wiring
from orchestrator.core.job import HandOff, HandOffKind, HandOffState, Job, Updates
from orchestrator.core.lifecycle import SETTLED
from orchestrator.engine.context import Context
from orchestrator.engine.submit import Submission, submit
from orchestrator.settings import load
from orchestrator.store import hand_offs, inbox, job_lists, jobs, observations, schema, workers
from orchestrator.store.database import sqlite_path
from orchestrator.store.inbox import Entry
from orchestrator.store.migrate import migrate
from orchestrator.store.observations import Recorded
from tests.acceptance.processes import Child
from tests.acceptance.waiting import LONG, until
from tests.migrated import put_migrated

MODEL = "google/veo-3.1-lite"
MOST = 1_000_000


def wanted(
    *,
    updates: Updates | None = Updates.HYBRID,
    model: str = MODEL,
    count: int = 1,
    **switches: Any,
) -> Submission:
    """A job as a caller asks for it, with what the sandbox is to do to it."""
    request: dict[str, Any] = {"model": model, "prompt": "waves", "provider_params": {"sandbox": switches}}
    if count > 1:
        request["sample_count"] = count
    return Submission(request, updates=updates)


class Database:
    """Submits jobs, and reads what became of them."""

    def __init__(self, environment: dict[str, str]) -> None:
        settings = load(environment)
        if file := sqlite_path(settings.resolved_database_url):
            file.parent.mkdir(parents=True, exist_ok=True)
            put_migrated(file)
        self.store = wiring.open_store(settings)
        migrate(self.store)
        self.context: Context = wiring.build(settings, self.store, asks_gateway=False)

    def close(self) -> None:
        self.context.close()
        self.store.close()

    def submit(self, *submissions: Submission) -> list[str]:
        """Keep jobs; their ids. The running orchestrator is to notice by itself."""
        return [job.id for job in submit(self.context, submissions)[0]]

    def job(self, job_id: str) -> Job:
        with self.store.read() as tx:
            job = jobs.get(tx, job_id)
        assert job is not None
        return job

    def leases(self, run: Child) -> bool:
        """Whether leases of this process hold."""
        with self.store.read() as tx:
            mine = select(schema.workers.c.id).where(schema.workers.c.pid == run.pid)
            return any(workers.beats(tx, row.id) for row in tx.execute(mine))

    def jobs(self) -> list[Job]:
        with self.store.read() as tx:
            return job_lists.recent(tx, limit=MOST)

    def owed(self, job_id: str) -> list[HandOff]:
        """What is owed to destinations for a job, done or not."""
        return to_destinations(self.hand_offs(job_id))

    def archiving(self, job_id: str) -> list[HandOff]:
        """What is to come into the archive for a job, done or not."""
        return [one for one in self.hand_offs(job_id) if one.kind is HandOffKind.ARCHIVE]

    def hand_offs(self, job_id: str) -> list[HandOff]:
        """Both."""
        with self.store.read() as tx:
            return hand_offs.of_job(tx, job_id)

    def everything_owed(self) -> dict[str, list[HandOff]]:
        """What is owed to destinations, by job."""
        every = self.every_hand_off().items()
        return defaultdict(list, {job_id: to_destinations(some) for job_id, some in every})

    def every_hand_off(self) -> dict[str, list[HandOff]]:
        """All hand-offs by job, those to the archive too."""
        found: dict[str, list[HandOff]] = defaultdict(list)
        with self.store.read() as tx:
            for row in tx.execute(select(schema.hand_offs).order_by(schema.hand_offs.c.id)):
                values = dict(row._mapping)
                enums = {"kind": HandOffKind(values["kind"]), "state": HandOffState(values["state"])}
                found[row.job_id].append(HandOff(**values | enums))
        return found

    def timeline(self, job_id: str) -> list[Recorded]:
        with self.store.read() as tx:
            return observations.of_job(tx, job_id)

    def inbox(self) -> list[Entry]:
        with self.store.read() as tx:
            return inbox.recent(tx, limit=MOST)

    def let_pass(self, seconds: float) -> None:
        """Bring every due time of a job so much nearer, as if the time had passed."""
        due_at = schema.jobs.c.due_at
        with self.store.write() as tx:
            tx.execute(update(schema.jobs).where(due_at.is_not(None)).values(due_at=due_at - seconds))

    def let_deadline_pass(self, job_id: str) -> None:
        """Bring a job's deadline, and the look that finds it, to this moment."""
        with self.store.write() as tx:
            now = {"deadline_at": tx.now, "due_at": tx.now}
            tx.execute(update(schema.jobs).where(schema.jobs.c.id == job_id).values(now))

    def unfinished(self, job_ids: Iterable[str]) -> list[str]:
        """Those of the jobs that are not settled, or for which something is still to be handed off."""
        job, hand_off = schema.jobs.c, schema.hand_offs.c
        settled = select(job.id).where(job.state.in_(SETTLED), job.detail_tries == 0)
        # Asked again and again, so no more than is needed is read.
        with self.store.read() as tx:
            over = set(tx.execute(settled).scalars())
            owed = tx.execute(select(hand_off.job_id, hand_off.state).distinct()).all()
        over &= {one.job_id for one in owed}
        over -= {one.job_id for one in owed if one.state == HandOffState.OWED}
        return [one for one in job_ids if one not in over]

    def wait(self, job_ids: Iterable[str], seconds: float = LONG) -> None:
        """Until each of the jobs is settled, and all that was owed for it is done or given up."""
        some = list(job_ids)
        left: list[str] = some

        def none_left() -> bool:
            nonlocal left
            left = self.unfinished(left)
            return not left

        try:
            until("every job is settled and handed off", none_left, seconds, every=0.1)
        except AssertionError as error:
            states = [
                (self.job(one).state, self.job(one).look_error, self.hand_offs(one)) for one in left[:5]
            ]
            raise AssertionError(f"{error}; {len(left)} of {len(some)} are not: {states}") from None

    def wait_for(self, job_id: str, what: str, holds: Callable[[Job], object], seconds: float = LONG) -> Job:
        """The job, once something holds of it."""
        return until(what, lambda: job if holds(job := self.job(job_id)) else None, seconds) or self.job(
            job_id
        )


def to_destinations(some: list[HandOff]) -> list[HandOff]:
    """Without what is to come into the archive."""
    return [one for one in some if one.kind is not HandOffKind.ARCHIVE]
