"""What obstore is asked to do, for the bucket sink and the bucket archive; keys are told without the prefix.

An attempt's temporary object is `.unfinished/NAME/ATTEMPT`. No final key has a part that begins with a dot.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import obstore
from obstore.store import ObjectStore

from orchestrator.errors import DestinationError
from orchestrator.sinks.base import Delivered
from orchestrator.sinks.bucket_place import BucketPlace, require_public
from orchestrator.sinks.if_absent import COPY_HEADERS, Refuses, learn, made
from orchestrator.sinks.object_errors import FOREIGN, ask
from orchestrator.sinks.object_stores import open_store

if TYPE_CHECKING:
    from obstore import GetOptions, WritableFile

T = TypeVar("T")

UNFINISHED: Final = ".unfinished"
PROBE = f"{UNFINISHED}/.check/probe"  # no name begins with a dot
PROBED = b"can this be written?\n"
ATTEMPT = re.compile(r"([0-9]+)(-[a-z]+-[0-9])?")
RANGE = 4 << 20  # bytes that are read by one request
PIECE = 1 << 20
# Seconds that one request may take with its body. After so many no other try of it begins.
CALL = 25.0  # so that a call ends within 50
RETRIES = 2
COPY = 55.0  # and no other try; the store copies up to a GiB meanwhile
HASTY = 5.0  # for tidying up, when something has failed already


def unfinished(name: str, attempt: int | str) -> str:
    """The temporary key of one attempt."""
    return f"{UNFINISHED}/{name}/{attempt}"


class Bucket:
    """A bucket, or what is below a prefix in it. Raises DestinationError, in words that hold no secret."""

    def __init__(self, place: BucketPlace) -> None:
        self._place = place
        self._before = f"{place.prefix}/" if place.prefix else ""
        self._store = open_store(place, seconds=CALL, retries=RETRIES)
        self._hasty = open_store(place, seconds=HASTY, retries=1)
        self._copier = open_store(place, seconds=COPY, retries=0)
        self._refuses = None if place.scheme == "s3" else Refuses(put=True, copier=self._copier)

    def location(self, key: str) -> str:
        """The URL of an object, without anything secret."""
        return f"{self._place.scheme}://{self._place.bucket}/{self._before}{key}"

    def require_public(self) -> None:
        """Look its host up anew. Raises DestinationError where it lies in a network that is not for us."""
        require_public(self._place)

    def size(self, key: str) -> int | None:
        """The size of what is there."""
        found = self._head(key)
        return None if found is None else found[0]

    def read(self, key: str) -> tuple[int, Callable[[int, int], Iterator[memoryview]]] | None:
        """The size of what is there, and what reads a range of it, in pieces of at most a MiB."""
        found = self._head(key)
        if found is None:
            return None
        size, version = found

        def pieces(start: int, end: int) -> Generator[memoryview, None, None]:
            for at in range(start, end, RANGE):
                got = self._range(key, at, min(at + RANGE, end), version)
                yield from (got[begin : begin + PIECE] for begin in range(0, len(got), PIECE))

        return size, pieces

    def require_there(self) -> None:
        """Raise DestinationError where there is no such bucket: of an object that is no proof, by a head."""
        self._left(f"{UNFINISHED}/.check")

    def read_back(self, key: str) -> Delivered | None:
        """What is there, counted and hashed."""
        found = self.read(key)
        if found is None:
            return None
        digest, count = hashlib.sha256(), 0
        for piece in found[1](0, found[0]):
            digest.update(piece)
            count += len(piece)
        return Delivered(self.location(key), count, digest.hexdigest())

    def put(self, key: str, content: bytes, attributes: dict[str, str]) -> None:
        """Put a small object, whatever is there."""
        self._ask("write", key, lambda: self._put(key, content, attributes, absent=False))

    def put_if_absent(self, key: str, content: bytes, attributes: dict[str, str], scratch: str) -> bool:
        """Put a small object; False if something is there."""
        refuses = self._learned(scratch)
        if not refuses.put and self._head(key) is not None:
            return False
        return self._ask(
            "publish", key, lambda: made(lambda: self._put(key, content, attributes, absent=refuses.put))
        )

    def _put(self, key: str, content: bytes, attributes: dict[str, str], *, absent: bool) -> None:
        mode: Literal["create", "overwrite"] = "create" if absent else "overwrite"
        path = self._before + key
        obstore.put(self._store, path, content, attributes=attributes, mode=mode, use_multipart=False)

    def copy(self, source: str, key: str) -> bool:
        """Copy, whatever is there; False if the source is not."""
        return self._ask("publish", key, lambda: made(lambda: self._copy(source, key, self._copier)))

    def copy_if_absent(self, source: str, key: str) -> bool:
        """Copy; False if something is there, or the source is not."""
        refuses = self._learned(f"{source}-probe")
        if refuses.copier is None:
            return self._head(key) is None and self.copy(source, key)
        copier = refuses.copier
        return self._ask("publish", key, lambda: made(lambda: self._copy(source, key, copier, absent=True)))

    def _copy(self, source: str, key: str, copier: ObjectStore, *, absent: bool = False) -> None:
        obstore.copy(copier, self._before + source, self._before + key, overwrite=not absent)

    def writer(self, key: str, attributes: dict[str, str], part: int) -> WritableFile:
        """A multipart upload in parts of so many bytes: one is filled while another one is on its way."""
        path = self._before + key
        return self._ask(
            "write",
            key,
            lambda: obstore.open_writer(
                self._store, path, attributes=attributes, buffer_size=part, max_concurrency=1
            ),
        )

    def remove(self, key: str) -> None:
        """Remove it if it is there."""
        self._ask("remove", key, lambda: self._remove(self._store, key))

    def try_to_remove(self, key: str) -> None:
        """Remove it if that can be done quickly. Raises nothing."""
        with suppress(*FOREIGN):
            self._remove(self._hasty, key)

    def _remove(self, store: ObjectStore, key: str) -> None:
        with suppress(FileNotFoundError):
            obstore.delete(store, self._before + key)

    def clear(self, name: str, below: float = float("inf")) -> None:
        """Remove what attempts at this name, with numbers below this one, have left."""
        for attempt, _ in self._left(f"{UNFINISHED}/{name}"):
            found = ATTEMPT.fullmatch(attempt)
            if found and int(found[1]) < below:
                self.remove(unfinished(name, attempt))

    def tidy(self, before: float) -> int:
        """Remove all that attempts left before that epoch second; tells how much that was."""
        old = [key for key, touched in self._left(UNFINISHED) if touched < before]
        for key in old:
            self.remove(f"{UNFINISHED}/{key}")
        return len(old)

    def check(self) -> None:
        """Write a probe, read it and remove it. Two checks at once share it, so either may find it gone."""
        self.require_public()
        self.put(PROBE, PROBED, {})
        if self._ask("read", PROBE, self._probe) not in (PROBED, None):
            raise DestinationError(
                f"cannot use {self._place.url}: it gives back something else than was written there",
                hint="look what is at that address: this is not a plain object store",
            )
        self._left(UNFINISHED)
        self.remove(PROBE)

    def _probe(self) -> bytes | None:
        try:
            return bytes(obstore.get(self._store, self._before + PROBE).bytes())
        except FileNotFoundError:
            return None

    def _left(self, folder: str) -> list[tuple[str, float]]:
        """The keys below a folder, told from there, and when they were written."""
        path = self._before + folder

        def listed() -> list[tuple[str, float]]:
            found = (one for some in obstore.list(self._store, path) for one in some)
            return [
                (str(one["path"]).removeprefix(f"{path}/"), one["last_modified"].timestamp()) for one in found
            ]

        return self._ask("list", folder, listed)

    def _head(self, key: str) -> tuple[int, str | None] | None:
        def asked() -> tuple[int, str | None] | None:
            try:
                found = obstore.head(self._store, self._before + key)
            except FileNotFoundError:
                return None
            return found["size"], found["e_tag"]

        return self._ask("look at", key, asked)

    def _range(self, key: str, start: int, end: int, version: str | None) -> memoryview:
        def asked() -> memoryview:
            options: GetOptions = {"range": (start, end), "if_match": version}
            return memoryview(obstore.get(self._store, self._before + key, options=options).bytes())

        got = self._ask("read", key, asked)
        if len(got) != end - start:
            raise DestinationError(
                f"cannot read {self.location(key)}: {len(got)} bytes came, not {end - start}",
                hint="the store or something on the way cuts answers off; it is tried again",
            )
        return got

    def _learned(self, scratch: str) -> Refuses:
        if self._refuses is None:
            copiers = [
                open_store(self._place, seconds=COPY, retries=0, copy_header=header)
                for header in COPY_HEADERS
            ]
            key = self._before + scratch
            self._refuses = self._ask("try", scratch, lambda: learn(self._store, copiers, key))
        return self._refuses

    def _ask(self, doing: str, key: str, call: Callable[[], T]) -> T:
        return ask(doing, self.location(key), call)
