"""A person sends a received webhook through the machine again, or a dead hand-off on its way."""

from __future__ import annotations

from orchestrator.core.signatures import Refusal, verify
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.receive import Receipt, take, take_again
from orchestrator.errors import NotAllowed, NotFound
from orchestrator.gateway.webhooks import parse
from orchestrator.store import hand_offs, inbox
from orchestrator.store.inbox import Rejection


def replay(context: Context, entry_id: int) -> Receipt:
    """Apply an inbox entry once more. Raises NotFound. What it changes is decided as on its receipt."""
    with context.store.write() as tx:
        entry = inbox.get(tx, entry_id)
        if entry is None:
            raise NotFound(f"there is no inbox entry {entry_id}", hint="`orchestrator inbox` lists them")
        return take_again(context, tx, entry)


def replay_rejected(context: Context, rejection_id: int) -> Receipt:
    """Verify a rejected delivery again, as of its receipt, and take it if it is believed now.

    Raises NotFound, or NotAllowed when it is still not believed or was not kept whole.
    """
    with context.store.write() as tx:
        rejection = inbox.get_rejection(tx, rejection_id)
        if rejection is None:
            raise NotFound(f"there is no rejected delivery {rejection_id}", hint="it may have left the ring")
        _require_believable(context, rejection)
        delivery = parse(rejection.body)
        inbox.drop_rejection(tx, rejection_id)
        return take(context, tx, rejection.account_id, rejection.headers, rejection.body, delivery)


def replay_hand_off(context: Context, hand_off_id: int) -> list[FollowUp]:
    """Try a hand-off that was given up again, from its first attempt on. Raises NotFound or NotAllowed."""
    with context.store.write() as tx:
        found = hand_offs.get(tx, hand_off_id)
        if found is None:
            raise NotFound(
                f"there is no hand-off {hand_off_id}", hint="`orchestrator show JOB` lists those of a job"
            )
        if not hand_offs.revive(tx, hand_off_id):
            raise NotAllowed(f"hand-off {hand_off_id} is {found.state}: it was not given up")
    return [FollowUp(Task.HAND_OFF)]


def _require_believable(context: Context, rejection: Rejection) -> None:
    if rejection.truncated:
        raise NotAllowed(
            "only the beginning of this delivery was kept: its signature cannot be checked again",
            hint="`orchestrator watch JOB` shows what a look says of the job instead",
        )
    values = [secret.get_secret_value() for secret in context.webhook_secrets[rejection.account_id]]
    verified = verify(rejection.headers, rejection.body, values, now=rejection.received_at)
    if isinstance(verified, Refusal):
        raise NotAllowed(
            f"it is still not believed: {verified}",
            hint="add the secret that signed it to ORCHESTRATOR_WEBHOOK_SECRETS",
        )
