"""One destination of each kind with a server of its own, and what a reader finds there without our sinks."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.waiting import until
from tests.benchmarks.attempts_process import Told
from tests.integration.sinks.guided_receiver import Guided
from tests.integration.sinks.receivers import TOLD
from tests.integration.sinks.redis_streams import STREAM, entries
from tests.servers.azurite import AzureContainer, AzuriteServer
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Bucket, S3Server

Effects = Counter[tuple[str, str]]  # how often there is what has this name and this SHA-256


@dataclass(frozen=True)
class Place:
    """A destination. `effects` is everything in it whose name begins so; `unfinished` what no reader takes.

    `strike` kills the server and starts it again, where what it has is to outlast that.
    """

    title: str
    kind: str
    options: dict[str, Any]
    takes_files: bool
    effects: Callable[[str], Effects]
    unfinished: Callable[[], int] = lambda: 0
    strike: Callable[[], None] | None = None

    def told(self, names: list[str], attempt: int, mib: int, *, blind: bool = False) -> Told:
        """What a process is told to do here."""
        return Told(self.kind, self.options, names, attempt, mib if self.takes_files else 0, blind)


def places(folder: Path, only: str = "") -> Iterator[Place]:
    """Each of them, or those with this in their name; there while it is the latest."""
    for title, make in _PLACES.items():
        if only in title:
            with make(folder, title) as place:
                yield place


@contextmanager
def _folder(folder: Path, title: str) -> Iterator[Place]:
    outputs = folder / "outputs"
    outputs.mkdir()

    def effects(prefix: str) -> Effects:
        files = [file for file in outputs.glob(f"{prefix}*") if not file.name.startswith(".")]
        return Counter((file.name, _hash(file.read_bytes())) for file in files)

    def unfinished() -> int:
        return len(list(outputs.glob(".*")))

    yield Place(title, "folder", {"path": str(outputs)}, True, effects, unfinished)


@contextmanager
def _s3(_: Path, title: str) -> Iterator[Place]:
    server = S3Server()
    try:
        yield _bucket(title, server.new_bucket())
    finally:
        server.close()


@contextmanager
def _plain_s3(_: Path, title: str) -> Iterator[Place]:
    server = S3Server()
    try:
        yield _bucket(title, server.new_bucket("plain-"))
    finally:
        server.close()


@contextmanager
def _azure(_: Path, title: str) -> Iterator[Place]:
    server = AzuriteServer()
    try:
        yield _bucket(title, server.new_container())
    finally:
        server.close()


def _bucket(title: str, place: S3Bucket | AzureContainer) -> Place:
    options = place.options("out")

    def finished() -> list[str]:
        return [key for key in place.list() if "/." not in key]

    def effects(prefix: str) -> Effects:
        keys = [key for key in finished() if key.startswith(f"out/{prefix}")]
        return Counter((key.removeprefix("out/"), _hash(place.get(key) or b"")) for key in keys)

    def unfinished() -> int:
        return len(place.list()) - len(finished()) + len(place.uploads())

    return Place(title, "bucket", options, True, effects, unfinished)


@contextmanager
def _redis_stream(_: Path, title: str) -> Iterator[Place]:
    server = RedisServer()

    def effects(prefix: str) -> Effects:
        found = [(one[b"id"].decode(), one[b"data"]) for one in entries(server)]
        return Counter((name, _hash(data)) for name, data in found if name.startswith(prefix))

    def has_read_its_data() -> bool:
        with server.client() as client:
            return not client.info("persistence")["loading"]

    def strike() -> None:
        server.kill()
        server.start()
        until("it has read its data", has_read_its_data)

    try:
        options = {"url": server.url, "stream": STREAM}
        yield Place(title, "redis_stream", options, False, effects, strike=strike)
    finally:
        server.close()


@contextmanager
def _webhook(folder: Path, title: str) -> Iterator[Place]:
    receiver = Guided(folder)
    receiver.start()

    def effects(prefix: str) -> Effects:
        return Counter((name, _hash(event)) for name, event in receiver.effects() if name.startswith(prefix))

    def strike() -> None:
        receiver.kill()
        receiver.start()

    try:
        options = TOLD | {"url": f"http://127.0.0.1:{receiver.port}/hook"}
        yield Place(title, "webhook", options, False, effects, strike=strike)
    finally:
        receiver.kill()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_PLACES = {
    "folder": _folder,
    "bucket: S3 (moto)": _s3,
    "bucket: S3, copies unconditional": _plain_s3,
    "bucket: Azure (Azurite)": _azure,
    "redis_stream": _redis_stream,
    "webhook, deduped by its id": _webhook,
}
