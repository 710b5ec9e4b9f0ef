"""A person sends a received webhook through the machine again, or a dead hand-off on its way."""

from __future__ import annotations

from itertools import count

from orchestrator.core.job import HandOff, HandOffState
from orchestrator.core.signatures import Refusal, verify
from orchestrator.engine import foresight
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.foresight import Foreseen
from orchestrator.engine.take import Believed, Receipt, take, take_again
from orchestrator.errors import NotAllowed, NotFound
from orchestrator.gateway.webhooks import parse
from orchestrator.store import dead_letters, hand_offs, inbox, jobs
from orchestrator.store.database import Transaction
from orchestrator.store.dead_letters import Matching
from orchestrator.store.inbox import Entry, Rejection

AT_ONCE = 200  # hand-offs that one transaction revives at most


def replay(context: Context, entry_id: int, *, foreseen: str | None = None) -> Receipt:
    """Apply an inbox entry once more. Raises NotFound. What it changes is decided as on its receipt.

    With the mark of what was `foreseen`, NotAllowed where something else would happen by now.
    """
    with context.store.write() as tx:
        entry = received(tx, entry_id)
        if foreseen is not None:
            _require_foreseen(foreseen, foresight.of_entry(context, tx, entry))
        return take_again(context, tx, entry)


def replay_rejected(context: Context, rejection_id: int, *, foreseen: str | None = None) -> Receipt:
    """Verify a rejected delivery again, as of its receipt, and take it if it is believed now.

    Raises NotFound, or NotAllowed when it is still not believed or was not kept whole, and as `replay` does.
    """
    with context.store.write() as tx:
        rejection = rejected(tx, rejection_id)
        require_believable(context, rejection)
        if foreseen is not None:
            _require_foreseen(foreseen, foresight.of_rejection(context, tx, rejection))
        delivery = parse(rejection.body)
        inbox.drop_rejection(tx, rejection_id)
        believed = Believed(rejection.account_id, rejection.headers, rejection.body, delivery)
        return take(context, tx, believed)


def received(tx: Transaction, entry_id: int) -> Entry:
    """An inbox entry. Raises NotFound."""
    entry = inbox.get(tx, entry_id)
    if entry is None:
        raise NotFound(f"there is no inbox entry {entry_id}", hint="`orchestrator inbox` lists them")
    return entry


def rejected(tx: Transaction, rejection_id: int) -> Rejection:
    """A rejected delivery. Raises NotFound."""
    rejection = inbox.get_rejection(tx, rejection_id)
    if rejection is None:
        raise NotFound(f"there is no rejected delivery {rejection_id}", hint="it may have left the ring")
    return rejection


def _require_foreseen(mark: str, now: Foreseen) -> None:
    if now.mark != mark:
        raise NotAllowed(
            "something else would happen by now than what you were shown: nothing was done",
            hint="look again at what it would change",
        )


def replay_hand_off(
    context: Context,
    hand_off_id: int,
    *,
    as_new: bool = False,
    tenant_id: str | None = None,
    job_id: str | None = None,
    generation: int | None = None,
) -> list[FollowUp]:
    """Try a hand-off that was given up again, from its first attempt on. Raises NotFound or NotAllowed.

    `as_new`: also one that was done, under a name that its receiver has not seen. Another tenant's is not
    found, nor another job's; None: whoever has the database may replay any. `generation` is the one that
    somebody was shown: with another one by now, it was delivered as new already.
    """
    with context.store.write() as tx:
        found = hand_offs.get(tx, hand_off_id)
        if found is None or not _is_theirs(found, tenant_id, job_id):
            raise NotFound(
                f"there is no hand-off {hand_off_id}", hint="`orchestrator show JOB` lists those of a job"
            )
        jobs.lock(tx, found.job_id)  # so that it is not purged in this moment
        found = hand_offs.get(tx, hand_off_id) or found  # as others left it who held the job until now
        if generation not in (None, found.generation):
            raise NotAllowed(
                f"hand-off {hand_off_id} was delivered as new already, since you were shown it",
                hint="look at it again, and do it once more if that is meant",
            )
        if not hand_offs.revive(tx, hand_off_id, as_new=as_new):
            raise _refused(found)
    return [FollowUp(Task.HAND_OFF)]


def _is_theirs(found: HandOff, tenant_id: str | None, job_id: str | None) -> bool:
    return tenant_id in (None, found.tenant_id) and job_id in (None, found.job_id)


def _refused(found: HandOff) -> NotAllowed:
    if found.state is not HandOffState.DONE:
        return NotAllowed(f"hand-off {found.id} is {found.state}: it was not given up")
    again = f"`orchestrator replay --hand-off {found.id} --as-new` delivers it once more, as something new"
    return NotAllowed(f"hand-off {found.id} is done: it was delivered", hint=again)


def replay_dead(
    context: Context,
    tenant_id: str | None,
    which: Matching,
    *,
    as_new: bool = False,
    parts: int | None = None,
) -> tuple[int, list[FollowUp]]:
    """Try those that were given up and match again: all, or so many times `AT_ONCE`, the latest first.

    Those of one tenant, or of all. Returns how many, and what is to happen next.
    """
    revived, before = 0, None
    for _ in count() if parts is None else range(parts):
        with context.store.write() as tx:
            some = dead_letters.latest(tx, tenant_id, which, limit=AT_ONCE, before=before)
            jobs.hold(tx, sorted({one.job_id for one in some}))  # so that none is purged in this moment
            revived += sum(hand_offs.revive(tx, one.id, as_new=as_new) for one in some)
        if len(some) < AT_ONCE:
            break
        before = some[-1].id
    return revived, [FollowUp(Task.HAND_OFF)] * bool(revived)


def require_believable(context: Context, rejection: Rejection) -> None:
    """Raise NotAllowed for a rejected delivery that is still not believed, or was not kept whole."""
    if rejection.truncated:
        raise NotAllowed(
            "only the beginning of this delivery was kept: its signature cannot be checked again",
            hint="`orchestrator watch JOB` shows what a look says of the job instead",
        )
    values = [secret.get_secret_value() for secret in context.webhook_secrets.get(rejection.account_id, ())]
    verified = verify(rejection.headers, rejection.body, values, now=rejection.received_at)
    if isinstance(verified, Refusal):
        raise NotAllowed(
            f"it is still not believed: {verified}",
            hint="give its account the secret that signed it: the default one ORCHESTRATOR_WEBHOOK_SECRETS",
        )
