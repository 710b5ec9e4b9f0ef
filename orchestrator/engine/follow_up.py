"""What is to happen next; sent as messages by whoever called the use-case, after its commit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Task(StrEnum):
    """The work that messages ask for. A message names no job: whoever gets it claims what is due."""

    CREATE = "create"  # ask the gateway to make one accepted job
    LOOK = "look"  # ask the gateway about the jobs that are due
    HAND_OFF = "hand_off"  # bring one thing to its destination
    SWEEP = "sweep"  # find what is due though no message says so


@dataclass(frozen=True, slots=True)
class FollowUp:
    """One message to send, to be acted on `delay` seconds from now."""

    task: Task
    delay: float = 0.0
