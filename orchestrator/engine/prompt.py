"""Handing off at once: by the process that owes it, claimed in the transaction in which it becomes owed.

That saves a message and a second claim. It is a short cut and no more: what is left out here is due as ever,
for whichever worker comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from orchestrator.core.job import HandOffKind, Job, Owed
from orchestrator.engine.context import Context
from orchestrator.engine.lease import LEASE
from orchestrator.store import destinations, hand_offs, outputs, workers
from orchestrator.store.database import Transaction


def owe(context: Context, tx: Transaction, owing: Sequence[tuple[Job, Sequence[Owed]]]) -> set[str]:
    """Keep what is owed, and begin with some of it after the commit. Returns the keys of that.

    Each job is given as it is now, with what is owed for it.
    """
    owed = [one for _, its in owing for one in its]
    begun = set()
    if context.hands is not None:
        job_of = {job.id: job for job, _ in owing}
        chosen = _chosen(context, tx, owed, context.hands.free())
        for claimed in hand_offs.owe_leased(tx, chosen, worker=context.worker, lease=LEASE):
            siblings = outputs.of_job(tx, claimed.job_id)
            begin = partial(context.hands.begin, claimed, job_of[claimed.job_id], siblings)
            tx.after_commit.append(begin)
            begun.add(claimed.key)
    hand_offs.owe(tx, [one for one in owed if one.key not in begun])
    return begun


def _chosen(context: Context, tx: Transaction, owed: Sequence[Owed], free: int) -> list[Owed]:
    """What can be done at once. Only documents: of an output nobody knows how long it takes to bring it."""
    at_once = [one for one in owed if one.kind is HandOffKind.OUTCOME and _is_due(tx, one)]
    if not at_once or free == 0 or not workers.can_lease(tx, context.worker):
        return []
    # Where attempts failed, whoever claims knows whether another one may be made.
    without = {*destinations.failing(tx), *context.places.full(context.most_at_once)}
    return [one for one in at_once if one.destination not in without][:free]


def _is_due(tx: Transaction, owed: Owed) -> bool:
    return owed.due_at is not None and owed.due_at <= tx.now
