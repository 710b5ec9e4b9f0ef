"""Reading `text/event-stream`, as the HTML standard (section 9.2.6) says."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 1024 * 1024  # characters of one message; no event of ours comes near


class TooLong(Exception):
    """A message that never ends."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its type, and its data."""

    type: str
    data: str


class Reader:
    """Takes bytes as they come and gives the messages that are whole by then.

    `last_id` is what a new stream goes on from, `retry` the seconds that the server asks to wait before.
    """

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry: float | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._id = last_id
        self._begun = self._after_cr = False
        self._line, self._line_length = list[str](), 0
        self._forget()

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """The messages that end in these bytes. Raises TooLong."""
        for line in self._lines(self._decoder.decode(chunk)):
            if line:
                self._field(line)
                continue
            self.last_id = self._id
            if self._data:
                yield Message(self._type or "message", "\n".join(self._data))
            self._forget()

    def _forget(self) -> None:
        self._type, self._data, self._length = "", list[str](), 0

    def _lines(self, text: str) -> Iterator[str]:
        """Whole lines, which end in CR, LF or both; not where Python would end some, as at U+2028."""
        if text and not self._begun:
            self._begun, text = True, text.removeprefix("\ufeff")
        if self._after_cr and text:
            text, self._after_cr = text.removeprefix("\n"), False
        self._after_cr = self._after_cr or text.endswith("\r")
        first, *others = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._line.append(first)
        self._line_length += len(first)
        if self._line_length > LONGEST:
            raise TooLong
        for other in others:
            yield "".join(self._line)
            self._line, self._line_length = [other], len(other)

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._length += len(value)
            if self._length > LONGEST:
                raise TooLong
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value[:9]) / 1000
