"""Attempts at a folder in a process of their own: `python -m … ACTION FOLDER …`; actions are functions."""

import json
import os
import resource
import signal
import stat
import sys
from collections.abc import Callable
from typing import Any

from orchestrator.errors import DestinationError
from orchestrator.sinks import Parcel
from orchestrator.sinks.folder import FolderSink

MIB = 1 << 20
DEATHS = (
    "after stage",
    "after write",
    "before file sync",
    "before link",
    "before unlink",
    "before folder sync",
    "after publish",
)


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def one_that_dies(folder: str, name: str, attempt: str, death: str, *links: str) -> None:
    """Publish 'attempt N' under the name, killed at the named point; with `no-links` links are refused."""
    if links:
        os.link = _refuse_link
    staging = FolderSink(folder).stage(Parcel(name), int(attempt))
    if death == "after stage":
        die()
    staging.write(f"attempt {attempt}".encode())
    if death == "after write":
        die()
    _arm(death)
    staging.publish()
    die()


def _arm(death: str) -> None:
    if death == "before link":
        os.link = die
    if death == "before unlink":
        os.unlink = die
    if death == "before file sync":
        os.fsync = die
    if death == "before folder sync":
        os.fsync = _die_at_folders


def _die_at_folders(fd: Any) -> None:
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        die()


def _refuse_link(*_: Any, **__: Any) -> None:
    raise PermissionError(1, "Operation not permitted")


def race(folder: str, attempt: str, rounds: str, *links: str) -> None:
    """Publish under the same names as the other process does; print what each was told, by name."""
    if links:
        os.link = _refuse_link
    sink, told = FolderSink(folder), {}
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(rounds)):
        told[f"n{number}"] = _told(sink, f"n{number}", int(attempt))
    print(json.dumps(told))


def _told(sink: FolderSink, name: str, attempt: int) -> str | None:
    staging = sink.stage(Parcel(name), attempt)
    try:
        staging.write(f"{name} by {attempt}".encode())
        return staging.publish().sha256
    except DestinationError:
        return None  # overtaken


def fill(folder: str, chunks: str, limit: str) -> None:
    """Write so many MiB under a file size limit of so many bytes (0: none); print the error in words."""
    if int(limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    _print_error(lambda: _write_mib(folder, int(chunks)))


def measure(folder: str, chunks: str) -> None:
    """Write and find so many MiB; print by how many KiB the process grew."""
    sink = FolderSink(folder)
    sink.stage(Parcel("warm"), 1).publish()
    sink.find(Parcel("warm"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _write_mib(folder, int(chunks))
    assert sink.find(Parcel("big")) is not None
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def _write_mib(folder: str, chunks: int) -> None:
    chunk = bytes(MIB)
    staging = FolderSink(folder).stage(Parcel("big"), 1)
    for _ in range(chunks):
        staging.write(chunk)
    staging.publish()


def check(folder: str) -> None:
    """Check the folder; print the error in words."""
    _print_error(FolderSink(folder).check)


def check_and_stage(folder: str, uid: str) -> None:
    """Check the folder, then deliver into it, as that user if we may choose; print both errors in words."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(int(uid), int(uid), int(uid))
        os.setresuid(int(uid), int(uid), int(uid))
    sink = FolderSink(folder)
    _print_error(sink.check)
    _print_error(lambda: sink.stage(Parcel("a"), 1).publish())


def _print_error(do: Callable[[], object]) -> None:
    try:
        do()
    except DestinationError as error:
        print(json.dumps([error.message, error.hint, error.retry.again]))
    else:
        print("null")


ACTIONS: dict[str, Callable[..., None]] = {
    action.__name__: action for action in (one_that_dies, race, fill, measure, check, check_and_stage)
}

if __name__ == "__main__":
    ACTIONS[sys.argv[1]](*sys.argv[2:])
