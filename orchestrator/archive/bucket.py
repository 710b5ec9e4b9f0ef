"""The archive as a bucket: each content an object under its SHA-256, `sha256/ab/abcd…` below the prefix.

An attempt's bytes are sent to a temporary key and copied into place; what is small is put into place at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from typing import Self

from orchestrator.archive.base import Kept
from orchestrator.archive.naming import damaged, require_sha256
from orchestrator.sinks.bucket_place import BucketPlace
from orchestrator.sinks.keys import ANY_MEDIA
from orchestrator.sinks.names import require_safe
from orchestrator.sinks.objects import Bucket
from orchestrator.sinks.upload import Upload


class BucketArchive:
    """A bucket that keeps outputs; processes may share it, and nobody else is to write there."""

    Options = BucketPlace

    @classmethod
    def build(cls, options: BucketPlace) -> Self:
        """The bucket that the options name. Nothing is asked of it yet. Raises SettingError."""
        return cls(options)

    def __init__(self, place: BucketPlace) -> None:
        self._bucket = Bucket(place)

    def begin(self, name: str, attempt: int) -> BucketKeeping:
        """Begin an attempt."""
        require_safe(name, "an unfinished object")
        return BucketKeeping(self._guarded(), name, attempt)

    def has(self, sha256: str) -> Kept | None:
        """What is there under this hash, by the size of its object."""
        key = _key(sha256)
        size = self._guarded().size(key)
        return None if size is None else Kept(sha256, size)

    def read(
        self, sha256: str, start: int = 0, end: int | None = None, *, verify: bool = True
    ) -> Generator[bytes, None, None]:
        """The bytes of this range; each request is for some MiB of them."""
        key = _key(sha256)
        found = self._guarded().read(key)
        if found is None:
            self._bucket.require_there()
            raise damaged(sha256, "is not there")
        size, pieces = found
        stop = size if end is None else end
        if max(start, stop) > size:
            raise damaged(sha256, f"is cut off: it has {size} bytes")
        found_pieces = pieces(start, stop)
        if verify and (start, stop) == (0, size):
            return _verified(sha256, found_pieces)
        return (bytes(one) for one in found_pieces)

    def remove(self, sha256: str) -> None:
        """Forget it; nothing happens where it is not there."""
        key = _key(sha256)
        self._guarded().remove(key)

    def tidy(self, before: float) -> int:
        """Remove the temporary objects that were last written before that epoch second."""
        return self._guarded().tidy(before)

    def check(self) -> None:
        """Write, read and remove a probe below the prefix."""
        self._bucket.check()

    def close(self) -> None:
        """Connections close by themselves."""

    def _guarded(self) -> Bucket:
        self._bucket.require_public()
        return self._bucket


class BucketKeeping:
    """One attempt to keep one object."""

    def __init__(self, bucket: Bucket, name: str, attempt: int) -> None:
        self._bucket = bucket
        self._upload = Upload(bucket, name, attempt, lambda _: {"Content-Type": ANY_MEDIA})
        self._kept: Kept | None = None

    def write(self, chunk: bytes) -> None:
        """Add bytes; if that fails nothing of the attempt is seen, now or later."""
        self._upload.write(chunk)

    def sha256(self) -> str:
        """The hash of what was written so far."""
        return self._upload.sha256()

    def keep(self) -> Kept:
        """Show the object under its hash; what is there already stays, unless it has another size."""
        if self._kept is None:
            try:
                self._kept = self._keep(Kept(self.sha256(), self._upload.bytes))
            finally:
                self._upload.discard()
        return self._kept

    def discard(self) -> None:
        """Remove the temporary object, if there is one."""
        self._upload.discard()

    def _keep(self, kept: Kept) -> Kept:
        key = _key(kept.sha256)
        if not self._upload.finish(key):
            size = self._bucket.size(key)
            if size is None or (size != kept.bytes and not self._upload.replace(key)):
                raise self._upload.gone("keep", key)
        return kept


def _key(sha256: str) -> str:
    return f"sha256/{require_sha256(sha256)[:2]}/{sha256}"


def _verified(sha256: str, pieces: Iterator[memoryview]) -> Generator[bytes, None, None]:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
        yield bytes(piece)
    if digest.hexdigest() != sha256:
        raise damaged(sha256, "has other bytes than were kept")
