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
        chosen = _chosen(context, tx, context.hands.choose([one for one in owed if _is_prompt(tx, one)]))
        begin_with = hand_offs.owe_leased(tx, chosen, worker=context.worker, lease=LEASE)
        siblings = outputs.of_jobs(tx, [claimed.job_id for claimed in begin_with])
        for claimed in begin_with:
            its = siblings.get(claimed.job_id, [])
            tx.after_commit.append(partial(context.hands.begin, claimed, job_of[claimed.job_id], its))
            begun.add(claimed.key)
    hand_offs.owe(tx, [one for one in owed if one.key not in begun])
    return begun


def _is_prompt(tx: Transaction, owed: Owed) -> bool:
    """Whether it can be done at once: no outputs, since nobody knows how long it takes to bring one."""
    return owed.kind is HandOffKind.OUTCOME and owed.due_at is not None and owed.due_at <= tx.now


def _chosen(context: Context, tx: Transaction, could_begin: Sequence[Owed]) -> list[Owed]:
    if not could_begin or not workers.can_lease(tx, context.worker):
        return []
    # Where attempts failed, whoever claims knows whether another one may be made.
    failing = destinations.failing(tx)
    return [one for one in could_begin if one.destination not in failing]
