"""Who calls: keys, tokens and sessions are checked in constant time, and remembered for a few seconds."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

from orchestrator.core.access import Caller
from orchestrator.core.keys import Chance, Kind, Presented, read
from orchestrator.errors import StoreError, Unauthorized
from orchestrator.store import api_keys, sessions, tokens
from orchestrator.store.database import Store, Transaction
from orchestrator.telemetry import Event, log

BELIEVED = 5.0  # seconds after which a revoked key is refused by every process
REMEMBERED = 10_000  # callers, of the last few seconds
_NAMES = {Kind.KEY: "API key", Kind.TOKEN: "come-back token", Kind.SESSION: "session"}
_HINTS = {
    Kind.KEY: "",
    Kind.TOKEN: "ask for a new one with an API key: POST /v1/tokens",
    Kind.SESSION: "sign in again",
}


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    until: float


@dataclass(frozen=True, slots=True)
class _Found:
    """What a row says of whoever showed its key: for how many more seconds it is good, at most."""

    caller: Caller
    good_for: float
    use_is_old: bool = False


@dataclass(slots=True)
class Guard:
    """Knows who calls. One per process; `clock` counts seconds of this process, `chance` is for new keys.

    It remembers callers by a digest of what they showed, never what they showed, and never strangers.
    """

    store: Store
    clock: Callable[[], float]
    chance: Chance
    _known: OrderedDict[bytes, _Known] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _aside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "guard"), repr=False)

    def known(self, presented: str, kind: Kind) -> Caller | None:
        """Whoever showed it within the last seconds: asks nobody, and may be called on an event loop."""
        with self._lock:
            known = self._known.get(_name(presented, kind))
        return known.caller if known and known.until > self.clock() else None

    def identify(self, presented: str, kind: Kind) -> Caller:
        """Whoever this belongs to. Raises Unauthorized, and StoreError."""
        if caller := self.known(presented, kind):
            return caller
        began = self.clock()
        found = self._ask(read(kind, presented), kind)
        self._remember(_name(presented, kind), _Known(found.caller, began + found.good_for))
        if found.use_is_old:
            with suppress(RuntimeError):  # this process is stopping: the next use is noted
                self._aside.submit(partial(self._note_use, found.caller.id))
        return found.caller

    def still_good(self, caller: Caller) -> bool:
        """Whether their key or token has not ended, for whoever listens on. Raises StoreError."""
        with self.store.read() as tx:
            if caller.by_token:
                token = tokens.holder(tx, caller.id)
                return token is not None and token.token.expires_at > tx.now
            key = api_keys.holder(tx, caller.id)
            return key is not None and not key.key.ended(tx.now)

    def forget(self, presented: str, kind: Kind) -> None:
        """Remember them no longer, in this process: they have just ended it themselves."""
        with self._lock:
            self._known.pop(_name(presented, kind), None)

    def close(self) -> None:
        """End its thread once that has no use to note any more; nobody waits for it."""
        self._aside.shutdown(wait=False)

    def _ask(self, presented: Presented | None, kind: Kind) -> _Found:
        if presented is None:
            raise _stranger(kind)
        with self.store.read() as tx:
            return _ASKED[kind](tx, presented)

    def _remember(self, name: bytes, known: _Known) -> None:
        with self._lock:
            self._known[name] = known
            self._known.move_to_end(name)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

    def _note_use(self, key_id: str) -> None:
        try:
            with self.store.write(durable=False) as tx:
                api_keys.note_use(tx, [key_id])
        except StoreError as error:  # the next use is noted
            log(Event.STORE_FAILED, level=logging.WARNING, error=error.message, hint=error.hint)


def _key(tx: Transaction, presented: Presented) -> _Found:
    there = api_keys.holder(tx, presented.id)
    # Before anything is said: whether there is such an id is told by neither words nor time.
    if not presented.proves(there.digest if there else None) or there is None:
        raise _stranger(Kind.KEY)
    if why := there.key.ended(tx.now):
        raise Unauthorized(f"this API key {why}")
    ends, used = there.key.expires_at, there.key.last_used_at
    good_for = BELIEVED if ends is None else min(BELIEVED, ends - tx.now)
    return _Found(there.caller, good_for, used is None or used <= tx.now - api_keys.USE_NOTED_EVERY)


def _token(tx: Transaction, presented: Presented) -> _Found:
    there = tokens.holder(tx, presented.id)
    if not presented.proves(there.digest if there else None) or there is None:
        raise _stranger(Kind.TOKEN)
    left = there.token.expires_at - tx.now
    if left <= 0:
        raise Unauthorized("this come-back token has expired", hint=_HINTS[Kind.TOKEN])
    return _Found(there.caller, min(BELIEVED, left))


def _session(tx: Transaction, presented: Presented) -> _Found:
    there = sessions.holder(tx, presented.id)
    if not presented.proves(there.digest if there else None) or there is None:
        raise _stranger(Kind.SESSION)
    left, key = there.session.expires_at - tx.now, there.by_key.key
    why = key.ended(tx.now)
    if why or left <= 0:
        said = f"the API key of this session {why}" if why else "this session has expired"
        raise Unauthorized(said, hint=_HINTS[Kind.SESSION])
    until_key_ends = BELIEVED if key.expires_at is None else key.expires_at - tx.now
    return _Found(there.by_key.caller, min(BELIEVED, left, until_key_ends))


_ASKED = {Kind.KEY: _key, Kind.TOKEN: _token, Kind.SESSION: _session}


def _stranger(kind: Kind) -> Unauthorized:
    return Unauthorized(f"this {_NAMES[kind]} is not known here", hint=_HINTS[kind])


def _name(presented: str, kind: Kind) -> bytes:
    return sha256(f"{kind} {presented}".encode(errors="surrogatepass")).digest()
