"""Streams of events: what was told before, from the database, then what is told, from the hub.

Whoever follows is known to the hub before the past is read: so nothing is told between the two, and what
comes by both ways is known by its number or position. A follower that takes too slowly for what waits in
memory is sent back to the database, from the last event that it was given.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, TypeVar

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from orchestrator.core import cursors
from orchestrator.core.access import Caller
from orchestrator.core.events import FOR_END_USERS, Told
from orchestrator.core.lifecycle import SETTLED
from orchestrator.engine import following
from orchestrator.engine.following import Page
from orchestrator.errors import NotFound, StoreError
from orchestrator.store.events import OTHER_SERVER, Entry, Position
from orchestrator.web import hub
from orchestrator.web.api.door import Door
from orchestrator.web.hub import Whose
from orchestrator.wire import events as wire

COME_BACK_AFTER = 2_000  # milliseconds after which a browser that lost its stream comes back
WHEN_OVER_AFTER = 600_000  # the same, where it was told that nothing more will come
HEARTBEAT = 15  # seconds
TAKE_WITHIN = 30.0  # seconds in which a client must have taken what it is sent
STILL_GOOD_EVERY = 25.0  # seconds; twice that, and the few that keys are believed, are within a minute
LOOK_EVERY = 15.0  # seconds; at a job that has ended, whether anything is still to come
AGAIN_AFTER = 1.0  # seconds, where the database is away
WRITTEN = 512  # events that are kept as they are sent: a thousand may follow the same

T = TypeVar("T")


class Stream(EventSourceResponse):
    """One client's stream, counted while it lasts. Raises RateLimited before it begins."""

    media_type = "text/event-stream"

    def __init__(
        self, door: Door, caller: Caller, events: AsyncGenerator[ServerSentEvent | bytes, None]
    ) -> None:
        super().__init__(events, ping=HEARTBEAT, sep="\n", send_timeout=TAKE_WITHIN)
        self._door, self._caller = door, caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until it ends, or its client is gone or takes nothing any more."""
        with self._door.limits.stream(self._caller), suppress(SendTimeoutError):
            await super().__call__(scope, receive, send)


class Listener:
    """Whoever listens, and whether they still may."""

    def __init__(self, door: Door, caller: Caller) -> None:
        self.door, self.caller = door, caller
        self._may_stay = True
        self._came_at = asyncio.get_running_loop().time()

    async def may_stay(self) -> bool:
        """Whether their key or token has not ended; asked now and then, once for all who have the same."""
        asked, now = self.door.hub.asked_about, asyncio.get_running_loop().time()
        if self._may_stay and now - max(self._came_at, asked.get(self.caller.id, 0.0)) >= STILL_GOOD_EVERY:
            asked[self.caller.id] = now
            self._may_stay = await self.surely(partial(self.door.guard.still_good, self.caller))
            if not self._may_stay:
                asked.pop(self.caller.id, None)  # the others ask for themselves
        return self._may_stay

    async def surely(self, act: Callable[[], T]) -> T:
        """Read from the database, again and again if need be: a browser that is told of errors gives up."""
        while True:
            with suppress(StoreError):
                async with self.door.hub.reading():
                    return await self.door.run(act)
            await asyncio.sleep(AGAIN_AFTER)

    def may_see(self, entry: Entry) -> bool:
        """Whether it is for them."""
        return entry.type in FOR_END_USERS or not self.caller.by_token


@dataclass(frozen=True, slots=True)
class _Followed:
    """What is followed: how it is read from the database, where an event stands in it, what may end it."""

    whose: Whose
    read: Callable[..., Page]
    place: Callable[[Entry], Any]
    ends: Callable[[Entry], bool]


async def of_job(
    door: Door, caller: Caller, job_id: str, after: int
) -> AsyncGenerator[ServerSentEvent | bytes, None]:
    """A job's events after a number, until it is over, or gone."""
    listener = Listener(door, caller)
    read = partial(following.of_job, door.context, caller, job_id)
    followed = _Followed(hub.of_job(job_id), read, lambda entry: entry.seq, _ends)
    yield ServerSentEvent(retry=COME_BACK_AFTER, sep="\n")
    with suppress(NotFound):  # it was purged
        async for entry in _entries(listener, followed, after):
            if entry is None:
                yield ServerSentEvent("{}", event="end", retry=WHEN_OVER_AFTER, sep="\n")
            elif listener.may_see(entry):
                yield sent(entry, str(entry.seq))


async def of_tenant(
    door: Door, caller: Caller, end_user: str | None, after: Position, types: Collection[Told]
) -> AsyncGenerator[ServerSentEvent | bytes, None]:
    """The events of a tenant, or of one end user's jobs, after a position; if types are named, only those."""
    listener = Listener(door, caller)
    read = partial(following.of_tenant, door.context, caller, end_user)
    # Ids of jobs are lower-case ULIDs: positions sort here as in either database.
    whose = hub.of_tenant(caller.tenant_id, end_user)
    followed = _Followed(whose, read, lambda entry: entry.position, lambda _: False)
    # Who leaves before anything was told has a place to come back to.
    yield ServerSentEvent(id=cursor(caller, end_user, after), retry=COME_BACK_AFTER, sep="\n")
    async for entry in _entries(listener, followed, after):
        if entry is not None and listener.may_see(entry) and (not types or entry.type in types):
            yield sent(entry, cursor(caller, end_user, entry.position))


async def _entries(listener: Listener, followed: _Followed, after: Any) -> AsyncGenerator[Entry | None, None]:
    """Each event after a place, once and in order; None at the end where nothing more will come."""
    async with listener.door.hub.follow(followed.whose) as live:
        while not live.over and await listener.may_stay():
            live.begin()
            page = await listener.surely(partial(followed.read, after=after))
            for entry in page.entries:
                after = followed.place(entry)
                yield entry
                await asyncio.sleep(0)  # others' turn: a thousand streams may have a page to send at once
            if page.over:
                yield None
                return
            ending, look = page.settled, page.more
            while not (look or live.missed or live.over):
                for entry in await live.take(LOOK_EVERY if ending else STILL_GOOD_EVERY):
                    if followed.place(entry) > after:
                        after = followed.place(entry)
                        ending = ending or followed.ends(entry)
                        yield entry
                        await asyncio.sleep(0)
                # Once it has ended, the database knows whether anything is still to come; not all is told.
                look = ending or not await listener.may_stay()


def _ends(entry: Entry) -> bool:
    return entry.type is Told.STATE and entry.data["state"] in SETTLED


def sent(entry: Entry, place: str) -> bytes:
    """As it is sent: the same to everybody who follows the same."""
    return _written(_This(entry), place)


class _This:
    """One entry as it was read: the hub gives the same one to all."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry

    def __hash__(self) -> int:
        return id(self.entry)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _This) and other.entry is self.entry


@lru_cache(maxsize=WRITTEN)
def _written(this: _This, place: str) -> bytes:
    entry = this.entry
    facts = dict(entry.data)
    state = facts.pop("state", None) if entry.type is Told.STATE else None
    told = {"job_id": entry.job_id, "seq": entry.seq, "type": entry.type, "at": entry.at}
    event = wire.Event.model_validate(told | {"state": state, "data": facts})
    return ServerSentEvent(event.model_dump_json(), event=entry.type, id=place, sep="\n").encode()


def cursor(caller: Caller, end_user: str | None, position: Position) -> str:
    """A place in a stream over several jobs, as its clients keep it."""
    text = f"{position.transaction}.{position.seq}.{position.job_id}"
    return cursors.write(text, _stream(caller, end_user))


def position(caller: Caller, end_user: str | None, given: str) -> Position | None:
    """The place that a client kept; None for what is none of this stream."""
    text = cursors.read(given, _stream(caller, end_user)) or ""
    transaction, _, rest = text.partition(".")
    seq, _, job_id = rest.partition(".")
    if not _NUMBER.fullmatch(transaction) or not _NUMBER.fullmatch(seq):
        return None
    # Beyond that no database counts, nor could it be asked.
    known = abs(int(transaction)) <= OTHER_SERVER and abs(int(seq)) < OTHER_SERVER
    return Position(int(transaction), job_id, int(seq)) if known else None


def _stream(caller: Caller, end_user: str | None) -> object:
    return "events", caller.tenant_id, end_user


_NUMBER = re.compile(r"-?[0-9]{1,19}")
