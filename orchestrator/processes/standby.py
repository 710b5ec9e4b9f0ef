"""What a worker does when beat or the broker is away: rows are the truth, and it has them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.learning import GATHERED_FOR, learn
from orchestrator.engine.recalling import recall
from orchestrator.engine.sweep import sweep
from orchestrator.processes.hands import Hands
from orchestrator.processes.timers import Timer
from orchestrator.store import workers
from orchestrator.store.workers import Pulse
from orchestrator.tasks.sending import Sender
from orchestrator.tasks.work import perform

LOOK_EVERY = 1.0
BEAT_MISSED = 3.0  # seconds without a message of beat's at any worker; there is one every second


class LocalHands(Hands):
    """Which also do what is due, whatever that is."""

    def take(self, follow_ups: Iterable[FollowUp]) -> None:
        """Begin with what is due now, one thread for each, as far as threads are free."""
        for follow_up in follow_ups:
            if follow_up.delay <= 0 and self._take_one(follow_up.task):
                work = partial(perform, follow_up.task, self._context, self._send, self._stopping)
                self._start(follow_up.task, work)

    def _take_one(self, task: Task) -> bool:
        with self._lock:
            free = self._busy[task] < self._threads.get(task, 0)
            self._busy[task] += free
            return free


def standby(context: Context, send: Sender, hands: LocalHands) -> Timer:
    """Sweeps while beat is not heard or the broker is away, and does what is found by itself.

    Every worker does: were it enough that another one swept, that one would be left with all the work.
    """

    def stand_in() -> None:
        if not send.broker_away and not _beat_is_missing(context):
            return
        found = sweep(context)
        learn(context, gathered_for=GATHERED_FOR)
        found += recall(context)
        send([*found, FollowUp(Task.SWEEP)])  # also where nothing is due: a broker that is back is noticed
        # Also when they could be sent: a broker that takes messages and delivers none looks just like that.
        hands.take(found)

    return Timer("standby", LOOK_EVERY, stand_in)


def _beat_is_missing(context: Context) -> bool:
    with context.store.read() as tx:
        heard_at = workers.last_pulse(tx, Pulse.BEAT)
        return heard_at is None or tx.now > heard_at + BEAT_MISSED
