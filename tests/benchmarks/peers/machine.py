"""The machine at hand: what it is, and how quick and how busy at this moment."""

from __future__ import annotations

import os
import platform
import re
import time
from pathlib import Path
from typing import Any

_TIMES = 5


def now() -> dict[str, Any]:
    """What is kept with each run: the machine in words, its load, and the milliseconds of `additions`."""
    return {"machine": told(), "load": os.getloadavg()[0], "additions": additions()}


def told() -> str:
    """Its cores, its memory and its system."""
    processor = re.findall(r"^model name\s*: (.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = re.findall(r"^MemTotal:\s+(\d+) kB$", _read("/proc/meminfo"), re.MULTILINE)
    gigabytes = f", {int(memory[0]) / 1e6:.0f} GB of memory" if memory else ""
    cores = f"{os.cpu_count()} cores ({processor[0] if processor else platform.machine()})"
    return f"{cores}{gigabytes}, {platform.system()} {platform.release()}"


def additions() -> float:
    """Milliseconds of a million additions in Python, the least of some: lent machines change their pace."""
    return 1000 * min(_add() for _ in range(_TIMES))


def _add() -> float:
    began, total = time.perf_counter(), 0
    for number in range(1_000_000):
        total += number
    return time.perf_counter() - began


def _read(file: str) -> str:
    return Path(file).read_text() if Path(file).exists() else ""
