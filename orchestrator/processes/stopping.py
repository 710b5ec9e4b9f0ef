"""How a process of several is told to stop: by a signal."""

from __future__ import annotations

import signal
import threading

AWAKE_EVERY = 1.0  # seconds


def stop_signal() -> threading.Event:
    """Set by SIGTERM or SIGINT from now on.

    A second SIGINT ends the process at once; a second SIGTERM, which supervisors may send, changes nothing.
    """
    stopping = threading.Event()

    def asked(number: int, _: object) -> None:
        if number == signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)
    return stopping


def wait_until_told(stopping: threading.Event) -> None:
    """Return once told to stop.

    Awake now and then: Python acts on a signal only when its main thread runs, and one that another thread
    was given, or that came just before the wait began, does not wake it.
    """
    while not stopping.wait(AWAKE_EVERY):
        pass
