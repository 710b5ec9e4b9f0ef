"""Asking the gateway about the jobs that are due, many at once (design 6 and 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from orchestrator.core.job import Job
from orchestrator.core.lifecycle import State
from orchestrator.core.tracing import Part
from orchestrator.engine import budget, counting, listing, outage, spans, unasked, uncertain
from orchestrator.engine.answer import Sent, listings
from orchestrator.engine.asking import SNAPSHOTS_WITHIN, ask_all
from orchestrator.engine.budget import Allowance
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.engine.keep_looks import Looked, changed_nothing, keep_changed, keep_usual
from orchestrator.fault_points import FaultPoint, reach
from orchestrator.store import due_jobs, lessons
from orchestrator.store.database import Transaction

# Of jobs that changed: all of a part are held while it is written.
HELD_AT_ONCE = 8

_Keep = Callable[[Context, Transaction, Sequence[Looked]], list[FollowUp]]


def look(context: Context) -> list[FollowUp] | None:
    """Claim due jobs, ask about them, keep what was learned; None when none is due."""
    batch = context.settings.look_batch
    # A list, two waves of GETs, a list and snapshots for the doubtful, the same again for the uncertain.
    lease = 5 * context.settings.look_timeout_seconds + 2 * SNAPSHOTS_WITHIN + 30.0
    with context.store.write(durable=False) as tx:
        now = tx.now
        claimed = due_jobs.claim(
            tx, due_jobs.LOOKS, worker=context.worker, limit=batch, lease=lease, turns=context.turns
        )
        if not claimed:
            return None
        left = outage.leave_to_gateway(context, tx, claimed)
        unsure = [job for job in left.to_look_at if job.state is State.UNCERTAIN]
        known = [job for job in left.to_look_at if job.state is not State.UNCERTAIN]
        allowances = budget.take(context, tx, known)
        listing.know(context, tx)
    with context.held.working(left.to_look_at):
        return left.follow_ups + _look(context, known, unsure, allowances, now)


def _look(
    context: Context,
    known: Sequence[Job],
    unsure: Sequence[Job],
    allowances: Mapping[str, Allowance],
    now: float,
) -> list[FollowUp]:
    reach(FaultPoint.LOOK_CLAIMED)
    follow_ups = _ask_and_keep(context, known, allowances, now) if known else []
    if unsure:  # after the others are kept: this search can take long
        follow_ups += uncertain.resolve(context, unsure)
    reach(FaultPoint.LOOK_COMMITTED)
    return follow_ups


def _ask_and_keep(
    context: Context, known: Sequence[Job], allowances: Mapping[str, Allowance], now: float
) -> list[FollowUp]:
    follow_ups: list[FollowUp] = []
    sent, began = Sent(), context.clock()
    with context.http.closing(ask_all(context, known, now, allowances, sent)) as waves:
        for answered in waves:
            reach(FaultPoint.LOOK_ANSWERED)
            for keep, part in _parts(context, now + (context.clock() - began), answered):
                with context.store.write() as tx:
                    # Sent once the last wave is kept; if that takes long, a sweep finds what is owed before.
                    follow_ups += keep(context, tx, part)
                    lessons.note(tx, None, sent.take_lists() + listings(part))
            _tell(context, answered, now)
            for account, ends in sent.take_unasked().items():
                follow_ups += unasked.settle(context, account, ends)
    budget.settle(context, allowances, sent.requests)
    return follow_ups


def _parts(context: Context, now: float, answered: Sequence[Looked]) -> Iterator[tuple[_Keep, list[Looked]]]:
    """What one transaction keeps each, and how: all that changed nothing in one, and a few of the others.

    A job is held until its part is committed, and a webhook about it waits for that.
    """
    usual: list[Looked] = []
    others: list[Looked] = []
    for job, answer in answered:
        unchanged = answer.put_off is not None or changed_nothing(context, now, job, answer)
        (usual if unchanged else others).append((job, answer))
    if usual:
        yield keep_usual, usual
    for begin in range(0, len(others), HELD_AT_ONCE):
        yield keep_changed, others[begin : begin + HELD_AT_ONCE]


def _tell(context: Context, answered: Sequence[Looked], claimed_at: float) -> None:
    """Count these looks, and tell of those that were calls; what they say is kept."""
    for job, answer in answered:
        counting.looked(context.policy.pace(job).why, answer)
        if not answer.asked:
            continue
        began = claimed_at + answer.after
        failed = answer.error.message if answer.error else None
        seen = answer.seen[0].seen if answer.seen else None
        spans.tell(
            context,
            job,
            Part.LOOK,
            job.fence,
            began,
            began + answer.took,
            failed=failed,
            called=True,
            seen=seen,
        )
