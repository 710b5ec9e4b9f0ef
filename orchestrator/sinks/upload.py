"""One attempt at one object: held in memory while it is small, then sent in parts to a temporary key.

In memory is one part that is being filled, and one that is on its way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from orchestrator.errors import DestinationError
from orchestrator.sinks.object_errors import FOREIGN, ask
from orchestrator.sinks.objects import PIECE, Bucket, unfinished

if TYPE_CHECKING:
    from obstore import WritableFile

PART = 5 << 20  # bytes: the smallest part that S3 takes; 10,000 of them make 48 GiB

Attributes = Callable[[str | None], dict[str, str]]  # given the hash, if that is known already


class Upload:
    """Written, hashed and counted; a kill leaves nothing that readers see.

    What it can leave is the temporary object, which the next attempt removes, or parts that were never put
    together. Those the store keeps, and asks money for, until a lifecycle rule of the bucket aborts
    incomplete uploads (Azure drops them by itself after a week); obstore cannot list them.
    """

    def __init__(self, bucket: Bucket, name: str, attempt: int, attributes: Attributes) -> None:
        """Remove what earlier attempts at `name` left. Raises DestinationError."""
        self._bucket = bucket
        self._temporary = unfinished(name, attempt)
        self._attributes = attributes
        self._held: list[bytes] = []
        self._writer: WritableFile | None = None
        self._complete = False
        self._answering = True
        self._open = False
        self._sha256 = hashlib.sha256()
        self.bytes = 0
        bucket.clear(name, below=attempt)
        self._open = True

    def write(self, chunk: bytes) -> None:
        """Add bytes; if that fails the attempt is over."""
        self._require_open()
        self._sha256.update(chunk)
        self.bytes += len(chunk)
        self._held.append(bytes(chunk))
        if self._writer is not None or self.bytes > PART:
            with self._over_if_it_fails():
                self._send()

    def sha256(self) -> str:
        """The hash of what was written so far."""
        return self._sha256.hexdigest()

    def finish(self, key: str) -> bool:
        """Show it under its key in one step, if nothing is there. The attempt is not over by that."""
        self._require_open()
        with self._over_if_it_fails():
            if self._writer is None:
                return self._bucket.put_if_absent(key, b"".join(self._held), self._final(), self._scratch)
            self._put_together(self._writer)
            if not self._bucket.copy_if_absent(self._temporary, key):
                return False
            self._require_whole(key)
            return True

    def replace(self, key: str) -> bool:
        """Show it in the place of what is there, after `finish`; False if the temporary object is gone."""
        with self._over_if_it_fails():
            if self._writer is None:
                self._bucket.put(key, b"".join(self._held), self._final())
                return True
            return self._bucket.copy(self._temporary, key)

    def discard(self) -> None:
        """Leave nothing of the attempt in the bucket. A store that hangs is not asked once more."""
        if not self._open:
            return
        self._open = False
        self._held.clear()
        if self._writer is not None and self._answering:
            if not self._complete:
                with suppress(*FOREIGN):
                    self._writer.close()  # puts it together, or aborts it where a part was not taken
            self._bucket.try_to_remove(self._temporary)

    def gone(self, doing: str, key: str) -> DestinationError:
        """The error for an attempt that neither was shown nor finds what was."""
        return DestinationError(
            f"cannot {doing} {self._bucket.location(key)}: its temporary object is gone",
            hint="a newer attempt has taken over, or somebody removed it; it is tried again",
        )

    @property
    def _scratch(self) -> str:
        return f"{self._temporary}-probe"

    def _final(self) -> dict[str, str]:
        return self._attributes(self.sha256())

    def _send(self) -> None:
        if self._writer is None:
            self._writer = self._bucket.writer(self._temporary, self._attributes(None), PART)
        writer, where = self._writer, self._bucket.location(self._temporary)
        for chunk in self._held:
            for at in range(0, len(chunk), PIECE):
                piece = chunk[at : at + PIECE]
                ask("write", where, lambda: writer.write(piece))  # noqa: B023 - called at once
        self._held.clear()

    def _put_together(self, writer: WritableFile) -> None:
        if self._complete:
            return
        try:
            ask("write", self._bucket.location(self._temporary), writer.close)
        except DestinationError as error:
            # Where the store was slow obstore asks again; what is done already is no upload any more.
            if error.status != 404 or self._bucket.size(self._temporary) != self.bytes:
                raise
        self._complete = True

    def _require_whole(self, key: str) -> None:
        size = self._bucket.size(key)
        if size != self.bytes:
            raise DestinationError(
                f"cannot publish {self._bucket.location(key)}: it has {size} bytes there, not {self.bytes}",
                hint="the store copied something else than was written; it is tried again",
            )

    @contextmanager
    def _over_if_it_fails(self) -> Iterator[None]:
        try:
            yield
        except DestinationError as error:
            self._answering = error.status is not None
            self.discard()
            raise

    def _require_open(self) -> None:
        if not self._open:
            raise DestinationError(
                f"cannot write {self._bucket.location(self._temporary)}: this attempt is over",
                hint="begin a new one",
            )
