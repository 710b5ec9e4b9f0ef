"""What is told of jobs while they go on."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from orchestrator.core.events import Told
from orchestrator.core.lifecycle import State
from orchestrator.wire.base import Answered, Moment


class Event(Answered):
    """One event. `seq` counts the events of its job without a gap; with it a doubled one is known again.

    What somebody may not see leaves a gap for them. `data` has the facts that `type` names.
    """

    job_id: str
    seq: int
    type: Told
    at: Moment
    state: State | None = None
    data: dict[str, Any] = Field(default_factory=dict)
