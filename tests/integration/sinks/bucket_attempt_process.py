"""Attempts at a bucket in a process of their own: `python -m … ACTION OPTIONS …`; actions are functions."""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore

from orchestrator.sinks import Parcel, upload
from orchestrator.sinks.bucket import BucketSink

MIB = 1 << 20
DEATHS = ("after stage", "in mid-upload", "before copy", "before removal", "after publish")
CHUNKS = 40


def content_of(name: str, chunks: int = CHUNKS, size: int = 100) -> list[bytes]:
    """The same for every attempt, as the output of one job is."""
    return [f"{name} {number} ".encode().ljust(size, b".") for number in range(chunks)]


def sink_for(options: str) -> BucketSink:
    return BucketSink(BucketSink.Options.model_validate_json(options))


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def one_that_dies(options: str, name: str, attempt: str, death: str) -> None:
    """Publish under the name, killed at the named point."""
    upload.PART = 500
    staging = sink_for(options).stage(Parcel(name), int(attempt))
    if death == "after stage":
        die()
    for number, chunk in enumerate(content_of(name)):
        staging.write(chunk)
        if death == "in mid-upload" and number == CHUNKS // 2:
            die()
    if death == "before copy":
        obstore.copy = die
    if death == "before removal":
        obstore.delete = _dying_at(f"/{attempt}", obstore.delete)
    staging.publish()
    die()


def _dying_at(end: str, delete: Callable[..., Any]) -> Callable[..., Any]:
    def dying(store: Any, key: str) -> None:
        if key.endswith(end):
            die()
        delete(store, key)

    return dying


def deliver(options: str, name: str, attempt: str, mib: str) -> None:
    """Publish so many MiB under the name, with parts of their real size; print the hash that was told."""
    sink = sink_for(options)
    found = sink.find(Parcel(name))
    if found is None:
        staging = sink.stage(Parcel(name), int(attempt))
        for chunk in content_of(name, int(mib), MIB):
            staging.write(chunk)
        found = staging.publish()
    print(found.sha256)


def measure(options: str, uploads: str, mib: str) -> None:
    """Upload so many things of so many MiB at once; print by how many KiB the process grew at most."""
    sink = sink_for(options)
    sink.check()
    before, peak, done = _resident(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], _resident())

    threads = [threading.Thread(target=_upload, args=(sink, n, int(mib))) for n in range(int(uploads))]
    watching = threading.Thread(target=watch)
    for thread in (watching, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watching.join()
    print(peak[0] - before)


def _upload(sink: BucketSink, number: int, mib: int) -> None:
    staging = sink.stage(Parcel(f"big-{number}"), 1)
    for at in range(mib):
        staging.write(f"{number} {at}".encode().ljust(MIB, b"."))
    staging.publish()


def _resident() -> int:
    """In KiB, now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


ACTIONS: dict[str, Callable[..., None]] = {
    action.__name__: action for action in (one_that_dies, deliver, measure)
}


def command(action: str, options: dict[str, Any], *arguments: object) -> list[str]:
    """What runs an action; to be run in the project's folder."""
    told = [action, json.dumps(options), *map(str, arguments)]
    return [sys.executable, "-m", "tests.integration.sinks.bucket_attempt_process", *told]


if __name__ == "__main__":
    ACTIONS[sys.argv[1]](*sys.argv[2:])
