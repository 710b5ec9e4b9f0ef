"""Events as they happen, over as many connections as it takes."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from orchestrator.client.connection import ATTEMPTS, Call, Connection, Query, may_try_again
from orchestrator.client.event_messages import Message, Reader, TooLong
from orchestrator.errors import ApiBadAnswer, ApiError, ApiUnreachable
from orchestrator.wire import events as wire

END = "end"  # the server's word that nothing follows
BEAT = 15.0  # seconds between signs of life; after some of them the connection is taken for dead
RETRY = 2.0  # seconds, until the server says otherwise


class EventStream(Iterator[wire.Event]):
    """Events in their order. A connection that is cut is made anew, from the last event on.

    `last_event_id` is what another stream, also of another process, goes on from.
    """

    def __init__(self, connection: Connection, path: str, query: Query, last_event_id: str | None) -> None:
        self._connection = connection
        self._path, self._query = path, query
        self._reader = Reader(last_event_id or "")
        self._silent = 0  # streams in a row that brought nothing
        self._retry = RETRY
        self._events = self._follow()

    @property
    def last_event_id(self) -> str:
        """The id of the last event that was given; empty before the first."""
        return self._reader.last_id

    def __next__(self) -> wire.Event:
        return next(self._events)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up the connection."""
        self._events.close()

    def _follow(self) -> Generator[wire.Event, None, None]:
        while True:
            failure: ApiError = ApiUnreachable("the stream of events ends again and again")
            try:
                for message in self._messages():
                    if message.type == END:
                        return
                    yield _event(message)
            except ApiError as error:
                if not may_try_again(error):
                    raise
                failure = error
            self._silent += 1
            if self._silent >= ATTEMPTS:
                raise failure
            pause = self._connection.pause(self._silent, failure)
            self._connection.around.sleep(max(self._retry, pause))

    def _messages(self) -> Iterator[Message]:
        self._reader = Reader(self.last_event_id)
        headers = {"accept": "text/event-stream", "accept-encoding": "identity"}
        if self.last_event_id:
            headers["last-event-id"] = self.last_event_id
        call = Call("GET", self._path, self._query, headers=headers, wait=2 * BEAT)
        with self._connection.opened(call) as response:
            _require_stream(response.headers.get("content-type", ""))
            for chunk in response.iter_raw():
                self._silent = 0
                yield from self._whole(chunk)

    def _whole(self, chunk: bytes) -> Iterator[Message]:
        try:
            yield from self._reader.feed(chunk)
        except TooLong:
            raise ApiBadAnswer("the stream of events has one that never ends") from None
        self._retry = self._reader.retry or self._retry


def _event(message: Message) -> wire.Event:
    try:
        return wire.Event.model_validate_json(message.data)
    except ValidationError:
        raise ApiBadAnswer(
            "the stream of events has something other than an event",
            hint="server and client may be of versions that do not fit: upgrade the older one",
        ) from None


def _require_stream(kind: str) -> None:
    if kind.partition(";")[0].strip() != "text/event-stream":
        raise ApiBadAnswer(
            f"asked for events, the server answered with {kind or 'no type'}",
            hint="check the URL: it is what stands before /v1",
        )
