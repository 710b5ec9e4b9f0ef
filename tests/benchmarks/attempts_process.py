"""Attempts at a destination in a process of its own, to be killed; what it is to do is told as JSON.

It says `begun`, and then of each thing that is there its name and the hash that was told. What a destination
refuses ends it with 1. Things are files of so many MiB, or documents where that is 0.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import DestinationError
from orchestrator.sinks import Parcel, Sink, Tools, kinds

MIB = 1 << 20


@dataclass(frozen=True)
class Told:
    """What to do. `blind`: as one that cannot know that anybody has tried before."""

    kind: str
    options: dict[str, Any]
    names: list[str]
    attempt: int
    mib: int
    blind: bool = False

    def command(self) -> list[str]:
        """What does it, in the project's folder."""
        return [sys.executable, "-m", "tests.benchmarks.attempts_process", json.dumps(asdict(self))]


def main(told: Told) -> int:
    """Do it."""
    http, kind = HttpLoop(), kinds.find(told.kind)
    sink = kind.build(kind.Options.model_validate_json(json.dumps(told.options)), Tools(http.run, time.time))
    print("begun", flush=True)
    try:
        for name in told.names:
            print(f"{name} {_deliver(sink, name, told)}\n", end="", flush=True)
    except DestinationError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        sink.close()
        http.stop()
    return 0


def _deliver(sink: Sink, name: str, told: Told) -> str:
    parcel = Parcel(name, "application/json", "job.completed", 1_780_000_000.0)
    found = None if told.blind else sink.find(parcel)
    if found is None:
        staging = sink.stage(parcel, told.attempt)
        for chunk in _content(name, told.mib):
            staging.write(chunk)
        found = staging.publish()
    return found.sha256


def _content(name: str, mib: int) -> Iterator[bytes]:
    """The same for every attempt."""
    if mib == 0:
        yield json.dumps({"job_id": name, "metadata": {"filling": "." * 1_000}}).encode()
    for number in range(mib):
        yield f"{name} {number} ".encode().ljust(MIB, b".")


if __name__ == "__main__":
    sys.exit(main(Told(**json.loads(sys.argv[1]))))
