"""Runs a program whose wall clock jumps ten minutes ahead at SIGUSR1, and ten minutes back at SIGUSR2.

    python stepped_clock.py PROGRAM ARGUMENTS…

freezegun, started before anything else is imported, so that every module gets its clock: `time.time` and
`datetime` go on from where they are and can be moved. It would also move the monotonic clocks, which no
step of a real clock touches; those are put back at once. A step of the system's own clock would befall the
database and the sandbox too, and a preloaded library (libfaketime) is not there on every machine.
"""

import runpy
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

STEP = 600.0  # seconds
_MONOTONIC = ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")


def main() -> None:
    real = {name: getattr(time, name) for name in _MONOTONIC}
    true_time, off = time.time, 0.0
    import freezegun

    # It looks at the callers of every call, to let some see the real time: none here, so it need not look.
    freezegun.configure(default_ignore_list=[])
    clock = freezegun.freeze_time(datetime.now(UTC).replace(tzinfo=None), tick=True).start()
    for name, function in real.items():
        setattr(time, name, function)

    def step(number: int, _: FrameType | None) -> None:
        nonlocal off
        off += STEP if number == signal.SIGUSR1 else -STEP
        clock.move_to(datetime.fromtimestamp(true_time() + off, UTC).replace(tzinfo=None))

    signal.signal(signal.SIGUSR1, step)
    signal.signal(signal.SIGUSR2, step)
    sys.argv = sys.argv[1:]
    sys.path[0] = str(Path(sys.argv[0]).parent)  # as if it had been started itself: not this folder
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
