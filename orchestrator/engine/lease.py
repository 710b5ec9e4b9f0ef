"""The lease of one attempt at a hand-off: renewed while bytes flow, however slowly."""

from __future__ import annotations

from orchestrator.core.job import HandOff
from orchestrator.engine.context import Context
from orchestrator.errors import LeaseLost
from orchestrator.store import hand_offs
from orchestrator.store.database import Transaction

LEASE = 120.0  # seconds
RENEW_EVERY = 30.0  # seconds; whatever is waited for in between takes a minute at most


class Lease:
    """What an attempt holds its hand-off by."""

    def __init__(self, context: Context, claimed: HandOff) -> None:
        self._context = context
        self._claimed = claimed
        self._renewed_at = context.clock()

    def keep(self) -> None:
        """Renew it if it is time. Raises LeaseLost when it went to another attempt."""
        if self._context.clock() - self._renewed_at >= RENEW_EVERY:
            self.renew()

    def renew(self) -> None:
        """Renew it, before something that may take a minute. Raises LeaseLost."""
        now = self._context.clock()
        with self._context.store.write(durable=False) as tx:
            self.hold(tx)
        self._renewed_at = now

    def hold(self, tx: Transaction) -> None:
        """Renew it in a transaction that does what only its holder may do. Raises LeaseLost."""
        if not hand_offs.renew_if_ours(tx, self._claimed, lease=LEASE):
            raise LeaseLost("the lease went to another attempt", hint="that one goes on")
