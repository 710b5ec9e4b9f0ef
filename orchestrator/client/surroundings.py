"""What the client takes from the process that it runs in, which is not always one of ours."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass


def _new_key() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A monotonic clock, a way to sleep, chance between 0 and 1, and new idempotency keys."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    new_key: Callable[[], str] = _new_key
