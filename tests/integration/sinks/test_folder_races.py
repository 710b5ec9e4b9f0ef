"""Attempts that run at once: all that succeed are told of the same whole file, and readers see no other."""

import hashlib
import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.errors import DestinationError
from orchestrator.sinks import Delivered
from orchestrator.sinks.folder import FolderSink
from tests.integration.sinks.conformance import NAME, parcel
from tests.integration.sinks.conftest import PROGRAM, ROOT
from tests.patience import LONG

RACERS = 8
ROUNDS = 20


def whole(number: int) -> bytes:
    return bytes([number]) * 50_000


def attempt_at(sink: FolderSink, name: str, number: int, start: threading.Barrier) -> Delivered | None:
    start.wait()
    staging = sink.stage(parcel(name), number)
    try:
        for at in range(0, 50_000, 10_000):
            staging.write(whole(number)[at : at + 10_000])
        return staging.publish()
    except DestinationError:
        return None  # overtaken by a newer attempt


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_racing_threads_are_told_of_one_file(folder_sink: FolderSink, folder: Path, round_: int) -> None:
    start = threading.Barrier(RACERS + 1)
    seen: set[bytes] = set()

    def read_all_the_time() -> None:
        while not done.is_set():
            if (folder / NAME).exists():
                seen.add((folder / NAME).read_bytes())

    done = threading.Event()
    with ThreadPoolExecutor(RACERS + 1) as pool:
        reader = pool.submit(read_all_the_time)
        racers = [pool.submit(attempt_at, folder_sink, NAME, number, start) for number in range(RACERS)]
        start.wait()
        told = [racer.result() for racer in racers]
        done.set()
        reader.result()

    winners = {delivered for delivered in told if delivered is not None}
    content = (folder / NAME).read_bytes()
    assert [(winner.bytes, winner.sha256) for winner in winners] == [
        (len(content), hashlib.sha256(content).hexdigest())
    ]
    assert told[-1] is not None, "the newest attempt is never overtaken"
    assert content in {whole(number) for number in range(RACERS)}
    assert seen <= {content}
    folder_sink.find(parcel(NAME))
    assert [path.name for path in folder.iterdir()] == [NAME]


@pytest.mark.parametrize("links", [[], ["no-links"]], ids=["hard links", "no hard links"])
def test_racing_processes_are_told_of_one_file(
    folder_sink: FolderSink, folder: Path, links: list[str]
) -> None:
    def begin(number: int) -> subprocess.Popen[str]:
        command = [*PROGRAM, "race", str(folder), str(number), "150", *links]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)

    with begin(1) as older, begin(2) as newer:
        for racer in (older, newer):
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in (older, newer):
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        told = [json.loads(racer.communicate(timeout=LONG)[0]) for racer in (older, newer)]

    for name in told[0]:
        content = (folder / name).read_bytes()
        assert content in {f"{name} by 1".encode(), f"{name} by 2".encode()}
        assert told[1][name] == hashlib.sha256(content).hexdigest()
        assert told[0][name] in {None, told[1][name]}
        folder_sink.find(parcel(name))
    assert sorted(path.name for path in folder.iterdir()) == sorted(told[0])
