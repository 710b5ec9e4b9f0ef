"""What processes tell each other of gateways: that one is left alone, and that it answers again.

The breakers of each process are its own, with pauses of its own of up to five minutes. What one found out
counts for all: a process that still leaves a gateway alone puts off creates that another could make.
"""

from __future__ import annotations

from orchestrator.engine.context import Context
from orchestrator.store import estimates, workers
from orchestrator.store.estimates import EstimateKind
from orchestrator.store.workers import Pulse


def share(context: Context) -> None:
    """Say in rows what this process found out, and follow what others did. Nothing while all is well."""
    breakers = context.breakers
    came_back = breakers.came_back()
    if not came_back and not breakers.some_failed:
        return
    with context.store.write(durable=False) as tx:
        for account in came_back:
            estimates.lock(tx, EstimateKind.ANSWERS, account)
            estimates.write(tx, EstimateKind.ANSWERS, account, {"at": tx.now})
        left_alone = breakers.left_alone(tx.now)
        if left_alone:
            workers.pulse(tx, Pulse.GATEWAY_AWAY)
        answers = estimates.several(tx, [(EstimateKind.ANSWERS, account) for account in left_alone])
    breakers.told(came_back)
    for (_, account), answer in answers.items():
        breakers.answered_elsewhere(account, answer["at"])
