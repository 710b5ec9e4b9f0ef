"""Loading a process that is to run for long."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Collect no garbage while modules are loaded, nor look through them ever after: they stay.

    To look through half a million new objects again and again takes an eighth of the start of `up`.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
