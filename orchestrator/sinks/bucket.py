"""Results as objects in a bucket: sent to a temporary key, then copied into place if nothing is there.

What is small is put into place at once. Killed at any point, the object is absent or whole; `if_absent` tells
what happens where two attempts publish at once, and `upload` what a kill can leave behind, unseen.

Each object says its SHA-256 and what is known of its job as metadata. What is sent in parts gets it with the
first of them: so the hash is there if the parcel's facts tell it, as they do for what comes from the archive.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from orchestrator.errors import DestinationError
from orchestrator.sinks.base import Delivered, Parcel, Tools
from orchestrator.sinks.bucket_place import BucketPlace
from orchestrator.sinks.keys import metadata, parse
from orchestrator.sinks.names import require_safe
from orchestrator.sinks.objects import Bucket
from orchestrator.sinks.upload import Upload


class BucketSink:
    """A bucket as destination; processes may share it."""

    takes_files: ClassVar[bool] = True

    class Options(BucketPlace):
        """A bucket, and how objects are named in it."""

        key: str = Field(
            "{name}", description="Template for the names of objects, such as `{tenant}/{date}/{name}`."
        )

        @model_validator(mode="after")
        def _key_is_safe(self) -> BucketSink.Options:
            try:
                parse(self.key, self.prefix)
            except ValueError as error:
                raise ValueError(f"key: {error}") from None
            return self

    @classmethod
    def build(cls, options: Options, tools: Tools) -> Self:
        """The bucket that the options name."""
        return cls(options)

    def __init__(self, options: Options) -> None:
        self._bucket = Bucket(options)
        self._template = parse(options.key, options.prefix)

    def find(self, parcel: Parcel) -> Delivered | None:
        """What is there under this key, read again; what killed attempts at it left is removed."""
        key = self._key(parcel)
        self._bucket.require_public()
        found = self._bucket.read_back(key)
        if found is not None:
            self._bucket.clear(parcel.name)
        return found

    def stage(self, parcel: Parcel, attempt: int) -> BucketStaging:
        """Begin an attempt."""
        key = self._key(parcel)
        self._bucket.require_public()
        return BucketStaging(self._bucket, key, parcel, attempt)

    def check(self) -> None:
        """Write, read and remove a probe below the prefix."""
        self._bucket.check()

    def close(self) -> None:
        """Connections close by themselves."""

    def _key(self, parcel: Parcel) -> str:
        require_safe(parcel.name, "an object")
        return self._template.key(parcel)


class BucketStaging:
    """One attempt at one object."""

    def __init__(self, bucket: Bucket, key: str, parcel: Parcel, attempt: int) -> None:
        self._bucket = bucket
        self._key = key
        self._announced = parcel.facts.get("sha256")
        self._upload = Upload(bucket, parcel.name, attempt, lambda sha256: metadata(parcel, sha256))
        self._delivered: Delivered | None = None

    def write(self, chunk: bytes) -> None:
        """Add bytes; if that fails nothing of the attempt is seen, now or later."""
        self._upload.write(chunk)

    def sha256(self) -> str:
        """The hash of what was written so far."""
        return self._upload.sha256()

    def publish(self) -> Delivered:
        """Show the object under its key; the first to do so stays."""
        if self._delivered is None:
            try:
                self._delivered = self._publish()
            finally:
                self._upload.discard()
        return self._delivered

    def discard(self) -> None:
        """Remove the temporary object, if there is one."""
        self._upload.discard()

    def _publish(self) -> Delivered:
        if self._announced and self._announced != self.sha256():
            raise DestinationError(
                f"cannot publish {self._bucket.location(self._key)}: other bytes came than were announced",
                hint="what was read has changed or is damaged; it is read again",
            )
        if self._upload.finish(self._key):
            return Delivered(self._bucket.location(self._key), self._upload.bytes, self.sha256())
        first = self._bucket.read_back(self._key)
        if first is None:
            raise self._upload.gone("publish", self._key)
        return first
