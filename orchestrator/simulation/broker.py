"""Messages between processes: lost, doubled, late, or not taken at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.engine.follow_up import Task
from orchestrator.simulation.chance import Fault
from orchestrator.simulation.scheduler import Scheduler
from orchestrator.simulation.tools import Chance


@dataclass(slots=True)
class Broker:
    """What Celery's application is to the Sender. `deliver` brings a message to some worker."""

    scheduler: Scheduler
    chance: Chance
    deliver: Callable[[Task], None]
    sending: Callable[[Task], None]

    def send_task(self, task: Task, countdown: float | None = None, **_: object) -> None:
        """Take one message. Raises OSError while the broker is away."""
        self.sending(task)
        happens, random = self.chance.happens, self.chance.random
        if happens(Fault.BROKER_AWAY):
            raise OSError("the broker is away (simulated)")
        if happens(Fault.MESSAGE_LOST):
            return
        for _time in range(2 if happens(Fault.MESSAGE_TWICE) else 1):
            late = 20.0 * random.random() if happens(Fault.MESSAGE_LATE) else 0.01 * random.random()
            self.scheduler.after((countdown or 0.0) + late, lambda: self.deliver(task))
