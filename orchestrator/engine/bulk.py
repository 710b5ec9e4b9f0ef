"""The same done with many jobs: counted first, then done a part at a time, each in its own transactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.core.idempotency import fingerprint
from orchestrator.core.job import Job
from orchestrator.core.lifecycle import OPEN, SETTLED, State
from orchestrator.engine import resolve
from orchestrator.engine.choices import Act
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.retry import retry
from orchestrator.engine.submit import Once
from orchestrator.errors import NotAllowed, RequestError
from orchestrator.store import hand_offs, job_lists, job_search, jobs
from orchestrator.store.database import Transaction
from orchestrator.store.hand_offs import GIVEN_UP
from orchestrator.store.job_ranges import Undone, Wanted

MOST = 2_000  # jobs of one count: more are for another one
PART = 50  # jobs that are done between two looks at the clock
ENDED_BADLY = SETTLED - {State.COMPLETED}


@dataclass(frozen=True, slots=True)
class Prospect:
    """What would be done. `others`: there are, or may be, more that match, all of them older.

    `by_state` counts the jobs, `newest` is the first of their ids and `oldest` the last.
    """

    ids: tuple[str, ...]
    by_state: Mapping[State, int]
    newest: str | None
    oldest: str | None
    others: bool

    @property
    def count(self) -> int:
        """How many jobs."""
        return len(self.ids)


@dataclass(slots=True)
class Done:
    """With how many jobs it was done, with which not and why, and what is to happen next."""

    done: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    follow_ups: list[FollowUp] = field(default_factory=list)


def prospect(context: Context, act: Act, wanted: Wanted) -> Prospect:
    """Which of the jobs that are meant it would be done with."""
    with context.store.read() as tx:
        narrowed = narrow(act, wanted)
        if narrowed is None:
            return Prospect((), {}, None, None, False)
        found = job_search.find(tx, narrowed, limit=MOST)
        by_state = job_search.states(tx, found.ids)
    newest, oldest = (found.ids[0], found.ids[-1]) if found.ids else (None, None)
    return Prospect(found.ids, by_state, newest, oldest, found.following is not None)


def narrow(act: Act, wanted: Wanted) -> Wanted | None:
    """Those that are meant and with which it can be done; None where no state is left."""
    if act is Act.REPLAY:
        return replace(wanted, undone=Undone.GIVEN_UP)
    possible = OPEN if act is Act.CANCEL else ENDED_BADLY
    states = tuple(sorted(possible & set(wanted.states or possible)))
    if not states:
        return None
    return replace(wanted, states=states, uncancelled=act is Act.CANCEL, not_retried=act is Act.RETRY)


def do(context: Context, act: Act, job_ids: Sequence[str], *, tenant_id: str | None) -> Done:
    """Do it with each of these. What is refused of one stops none of the others."""
    done = Done()
    for job_id in job_ids:
        try:
            done.follow_ups += one(context, act, job_id, tenant_id=tenant_id)
            done.done += 1
        except RequestError as error:
            done.refused[job_id] = error.message
    done.follow_ups = _few(done.follow_ups)
    return done


def one(context: Context, act: Act, job_id: str, *, tenant_id: str | None) -> list[FollowUp]:
    """Do it with one job of the tenant's, or of any. Raises RequestError."""
    if act is Act.CANCEL:
        return resolve.cancel(context, job_id, tenant_id=tenant_id)[1]
    if act is Act.RETRY:
        return retry_once(context, job_id, tenant_id=tenant_id)[1]
    return replay_given_up(context, job_id, tenant_id=tenant_id)[1]


def retry_once(
    context: Context, job_id: str, *, tenant_id: str | None, known: int = 0
) -> tuple[Job, list[FollowUp]]:
    """Ask for a job once more; whoever presses twice, knowing of as many retries, gets the same new job."""
    with context.store.read() as tx:
        whose = job_lists.tenant_of(tx, job_id)
        if tenant_id is not None:
            whose = job_lists.of_tenant(tx, tenant_id, job_id).tenant_id
    asked: dict[str, Any] = {"retry_of": job_id, "known": known}
    kept = retry(context, whose, job_id, Once(whose, f"dashboard:{job_id}:{known}", fingerprint(asked)))
    return kept.jobs[0], [] if kept.replayed else kept.follow_ups


def replay_given_up(context: Context, job_id: str, *, tenant_id: str | None) -> tuple[int, list[FollowUp]]:
    """Try again all hand-offs of a job that were given up. Raises NotFound, or NotAllowed where none was."""
    with context.store.write() as tx:
        if tenant_id is not None:
            job_lists.of_tenant(tx, tenant_id, job_id)
        jobs.lock(tx, job_id)  # so that it is not purged in this moment
        revived = _revive(tx, job_id)
    if not revived:
        raise NotAllowed("nothing that is owed for it was given up")
    return revived, [FollowUp(Task.HAND_OFF)]


def _revive(tx: Transaction, job_id: str) -> int:
    gone = [one.id for one in hand_offs.of_job(tx, job_id) if one.state in GIVEN_UP]
    return sum(hand_offs.revive(tx, one) for one in gone)


def _few(follow_ups: Sequence[FollowUp]) -> list[FollowUp]:
    """Creates each need a message; of the others one finds all that is due."""
    creates = [one for one in follow_ups if one.task is Task.CREATE]
    return [*creates, *dict.fromkeys(one for one in follow_ups if one.task is not Task.CREATE)]
