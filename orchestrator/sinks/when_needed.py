"""A sink that is built when it is first used, and closed when nobody uses it any more.

So one whose secret is missing fails alone, and one that is changed under way ends what it began. Whatever
fails there is told without its secrets.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple, TypeVar

from orchestrator.core.redaction import Redactor
from orchestrator.errors import DestinationError, DestinationGone, OrchestratorError, SettingError
from orchestrator.sinks.base import Delivered, Parcel, Sink, Staging

T = TypeVar("T")


class Built(NamedTuple):
    """A sink, and what may not be seen of what it was told."""

    sink: Sink
    redactor: Redactor


class SinkWhenNeeded:
    """Stands for a sink. `build` raises SettingError where it cannot be: the next use tries again."""

    def __init__(self, name: str, *, takes_files: bool, build: Callable[[], Built]) -> None:
        self.takes_files = takes_files
        self._name = name
        self._build = build
        self._built: Built | None = None
        self._users = 0
        self._closing = False
        self._lock = threading.Lock()

    def find(self, parcel: Parcel) -> Delivered | None:
        """As the sink."""
        built = self._take()
        try:
            found = redacted(built.redactor, self._name, lambda: built.sink.find(parcel))
            return _told(built.redactor, found) if found else None
        finally:
            self._give_back()

    def stage(self, parcel: Parcel, attempt: int) -> Staging:
        """As the sink, which stays open until the attempt is over."""
        built = self._take()
        try:
            staging = redacted(built.redactor, self._name, lambda: built.sink.stage(parcel, attempt))
        except BaseException:
            self._give_back()
            raise
        return _Attempt(self._name, built.redactor, staging, self._give_back)

    def check(self) -> None:
        """As the sink."""
        built = self._take()
        try:
            redacted(built.redactor, self._name, built.sink.check)
        finally:
            self._give_back()

    def close(self) -> None:
        """Nothing begins there any more; what is held is freed after the last attempt under way."""
        with self._lock:
            self._closing = True
        self._close_if_idle()

    def _take(self) -> Built:
        with self._lock:
            if self._closing:
                raise DestinationError(
                    f"the destination {self._name} was changed, removed or closed a moment ago",
                    hint="it is tried again as it is now",
                )
            if self._built is None:
                self._built = self._made()
            self._users += 1
            return self._built

    def _made(self) -> Built:
        try:
            return self._build()
        except SettingError as error:
            raise DestinationError(error.message, hint=error.hint) from error

    def _give_back(self) -> None:
        with self._lock:
            self._users -= 1
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        with self._lock:
            idle = self._closing and not self._users
            built, self._built = (self._built, None) if idle else (None, self._built)
        if built:
            with suppress(DestinationError):  # what it held is out of our hands either way
                redacted(built.redactor, self._name, built.sink.close)


class _Attempt:
    """One attempt at a sink that somebody may want to close meanwhile."""

    def __init__(
        self, name: str, redactor: Redactor, staging: Staging, give_back: Callable[[], None]
    ) -> None:
        self._name = name
        self._redactor = redactor
        self._staging = staging
        self._give_back: Callable[[], None] | None = give_back

    def write(self, chunk: bytes) -> None:
        try:
            redacted(self._redactor, self._name, lambda: self._staging.write(chunk))
        except BaseException:
            self._over()
            raise

    def sha256(self) -> str:
        return redacted(self._redactor, self._name, self._staging.sha256)

    def publish(self) -> Delivered:
        try:
            return _told(self._redactor, redacted(self._redactor, self._name, self._staging.publish))
        finally:
            self._over()

    def discard(self) -> None:
        try:
            redacted(self._redactor, self._name, self._staging.discard)
        finally:
            self._over()

    def _over(self) -> None:
        give_back, self._give_back = self._give_back, None
        if give_back:
            give_back()


def redacted(redactor: Redactor, name: str, call: Callable[[], T]) -> T:
    """What the call returns. An error that holds a secret, be it in its cause, is told without."""
    try:
        return call()
    except Exception as error:
        if not redactor.finds_in(_all_of(error)):
            raise
        cleaned = _cleaned(redactor, name, error)
    # Not where the first is handled: it would be kept as the context of this one, and printed with it.
    raise cleaned


def _all_of(error: Exception) -> str:
    told = [value for value in vars(error).values() if isinstance(value, str)]
    return "\n".join([*traceback.format_exception(error), *told])


def _cleaned(redactor: Redactor, name: str, error: Exception) -> OrchestratorError:
    if isinstance(error, SettingError):
        return SettingError(redactor.text(error.message), hint=redactor.text(error.hint))
    if isinstance(error, DestinationError):
        kind = DestinationGone if isinstance(error, DestinationGone) else DestinationError
        return kind(
            redactor.text(error.message),
            hint=redactor.text(error.hint),
            retry=error.retry,
            status=error.status,
            preview=error.preview and redactor.text(error.preview),
        )
    return DestinationError(
        f"the destination {name} broke: {type(error).__name__}: {redactor.text(str(error))}",
        hint="this is a bug of its kind: report it to its author",
    )


def _told(redactor: Redactor, delivered: Delivered) -> Delivered:
    return replace(delivered, location=redactor.text(delivered.location))
