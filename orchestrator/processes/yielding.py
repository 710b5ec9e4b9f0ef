"""Background work yields the processor: what a webhook waits for goes first where a machine is full."""

from __future__ import annotations

import os
import time
from pathlib import Path

_OF_SESSION = Path("/proc/self/autogroup")
_TRIES, _APART = 5, 0.15  # Linux takes one change each 100 ms, whoever makes it


def be_nice(by: int) -> None:
    """Lower the priority of this process by so many steps, as nice(1) does.

    Linux shares a processor between sessions first, and niceness counts within one only (sched(7), "The
    autogroup feature"). So a process that leads its session lowers that as well; one that shares its session,
    with `web` for example, leaves it as it is.
    """
    if by == 0:
        return
    os.nice(by)
    if os.getsid(0) == os.getpid() and _OF_SESSION.exists():
        _lower_session(by)


def _lower_session(by: int) -> None:
    for _ in range(_TRIES):
        try:
            _OF_SESSION.write_text(str(by))
        except BlockingIOError:
            time.sleep(_APART)
        except OSError:
            return  # not allowed here, or cgroups decide: then theirs is the weight that counts
        else:
            return
