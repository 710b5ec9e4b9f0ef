"""One attempt at a document of some KiB, for destinations that take no files: one call delivers it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from orchestrator.errors import NEVER, DestinationError
from orchestrator.sinks.base import Delivered, Parcel
from orchestrator.sinks.names import require_safe

LARGEST = 262_144  # bytes


class Document:
    """What is written stays in memory; `publish` lets `deliver(parcel, body)` bring it there, whole.

    `deliver` tells what is there under the parcel's name afterwards, also where an earlier attempt put it.
    """

    def __init__(self, parcel: Parcel, deliver: Callable[[Parcel, bytes], Delivered]) -> None:
        require_safe(parcel.name, "a document")
        self._parcel = parcel
        self._deliver = deliver
        self._body = bytearray()
        self._open = True
        self._delivered: Delivered | None = None

    def write(self, chunk: bytes) -> None:
        """Add bytes."""
        self._require_open()
        if len(self._body) + len(chunk) > LARGEST:
            self.discard()
            hint = "a document says where files are; files themselves go to a folder or a bucket"
            raise DestinationError(
                f"{self._parcel.name} is larger than {LARGEST} bytes, the most that a document may have",
                hint=hint,
                retry=NEVER,
            )
        self._body += chunk

    def sha256(self) -> str:
        """The hash of what was written so far."""
        return hashlib.sha256(self._body).hexdigest()

    def publish(self) -> Delivered:
        """Deliver it; however that ends, the attempt is over."""
        if self._delivered is None:
            self._require_open()
            self._open = False
            self._delivered = self._deliver(self._parcel, bytes(self._body))
        return self._delivered

    def discard(self) -> None:
        """Nothing of it is anywhere."""
        self._open = False

    def _require_open(self) -> None:
        if not self._open:
            raise DestinationError(
                f"cannot deliver {self._parcel.name}: this attempt is over", hint="begin a new one"
            )
