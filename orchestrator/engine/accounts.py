"""Every gateway account as it is now, and a client for each that is used."""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from pydantic import SecretStr

from orchestrator.engine.account_secrets import Opened
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.engine.reread import Reread
from orchestrator.errors import AccountUnusable, SettingError
from orchestrator.gateway.account import Account
from orchestrator.store import accounts
from orchestrator.store.accounts import Entry
from orchestrator.store.database import Store, Transaction
from orchestrator.telemetry import Event, log

if TYPE_CHECKING:
    from orchestrator.gateway.client import Gateway  # large, and web and beat ask nothing

Told = TypeVar("Told")

READ_FOR_ONE_AFTER = 0.25  # seconds, for one that was not there: strangers may ask for such at any rate
LET_GO_AFTER = 120.0  # seconds: whoever was given a client before a change may still begin calls with it


class Accounts:
    """What the database says of accounts, by their ids; unchanged ones are opened once. Threads share it."""

    def __init__(self, store: Store, open_one: Callable[[Entry], Opened], clock: Callable[[], float]) -> None:
        self._open = open_one
        self._known: dict[str, tuple[Entry, Opened]] = {}
        self._now: Mapping[str, Opened] = {}
        self._rows = Reread(store, _entries, self._take_over, clock)

    def now(self) -> Mapping[str, Opened]:
        """As they were at most two seconds ago. Raises StoreError while they were never read.

        It may read the database: not to be called on an event loop.
        """
        self._rows.renew()
        return self._now

    @property
    def latest(self) -> Mapping[str, Opened]:
        """As they were when last read, without reading them."""
        return self._now

    def with_this(self, account_id: str) -> Mapping[str, Opened]:
        """The same, read anew where this one is not among them: it may have been added a moment ago."""
        if account_id not in self.now():
            self._rows.renew(READ_FOR_ONE_AFTER)
        return self._now

    def _take_over(self, entries: list[Entry]) -> None:
        self._known = {one.id: self._opened(one) for one in entries}
        self._now = {account_id: opened for account_id, (_, opened) in self._known.items()}

    def _opened(self, entry: Entry) -> tuple[Entry, Opened]:
        before = self._known.get(entry.id)
        if before is not None and _same(*before, entry):
            return before
        opened = self._open(entry)
        if opened.problem is not None:
            facts = {"account": entry.id, "tenant": entry.tenant_id, "hint": opened.problem.hint}
            log(Event.ACCOUNT_UNUSABLE, level=logging.ERROR, error=opened.problem.message, **facts)
        return entry, opened


def _entries(tx: Transaction) -> list[Entry]:
    return accounts.every(tx)


def _same(before: Entry, opened: Opened, entry: Entry) -> bool:
    """Whether nothing changed. Secrets encrypted anew are the same ones, if they could be read before."""
    readable = opened.problem is None
    return before.changed_at == entry.changed_at and (readable or before.secrets == entry.secrets)


class _OfEach(Mapping[str, Told]):
    """Something that is known of every account, by its id."""

    def __init__(self, known: Accounts) -> None:
        self._known = known

    @abstractmethod
    def _of(self, opened: Opened) -> Told: ...

    def __getitem__(self, account_id: str) -> Told:
        return self._of(self._known.with_this(account_id)[account_id])

    def __iter__(self) -> Iterator[str]:
        return iter(self._known.now())

    def __len__(self) -> int:
        return len(self._known.now())


class BaseUrls(_OfEach[str]):
    """Where the gateway of each account is, also where its secrets cannot be read."""

    def _of(self, opened: Opened) -> str:
        return opened.base_url


class WebhookSecrets(_OfEach[tuple[SecretStr, ...]]):
    """What may sign webhooks, by account: several while one is rotated, none where none can be read."""

    def __init__(self, known: Accounts, wall_clock: Callable[[], float]) -> None:
        super().__init__(known)
        self._wall_clock = wall_clock

    def _of(self, opened: Opened) -> tuple[SecretStr, ...]:
        return opened.believed(self._wall_clock())


class Gateways(Mapping[str, "Gateway"]):
    """A client for each account, made when it is first asked for; those made are counted. Threads share it.

    Asked for one that cannot be had, it raises AccountUnusable. Not to be asked on an event loop. What was
    changed or removed meanwhile is closed a while later, once no call of it is under way.
    """

    def __init__(
        self,
        known: Accounts,
        connect: Callable[[Account], Gateway],
        http: HttpLoop,
        clock: Callable[[], float],
    ) -> None:
        self._known = known
        self._connect = connect
        self._http = http
        self._clock = clock
        self._made: dict[str, tuple[Opened, Gateway]] = {}
        self._leaving: list[tuple[float, Gateway]] = []
        self._lock = threading.Lock()

    def __getitem__(self, account_id: str) -> Gateway:
        self._known.with_this(account_id)
        with self._lock:  # and the latest: another thread may have seen a change since
            gateway = self._current(self._known.latest, account_id)
            ended = self._ended()
        for one in ended:
            self._http.run(one.aclose())
        return gateway

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._made))

    def __len__(self) -> int:
        return len(self._made)

    def opened(self) -> Collection[Gateway]:
        """Every client that was made and is not closed yet."""
        with self._lock:
            return [gateway for _, gateway in (*self._made.values(), *self._leaving)]

    def _current(self, known: Mapping[str, Opened], account_id: str) -> Gateway:
        for gone in [one for one, (opened, _) in self._made.items() if known.get(one) is not opened]:
            self._leaving.append((self._clock(), self._made.pop(gone)[1]))
        if account_id not in self._made:
            opened = known.get(account_id)
            if opened is None:
                raise AccountUnusable(f"the account {account_id} was removed")
            self._made[account_id] = (opened, self._connected(opened))
        return self._made[account_id][1]

    def _connected(self, opened: Opened) -> Gateway:
        try:
            return self._connect(opened.account())
        except SettingError as error:
            raise AccountUnusable(error.message, hint=error.hint) from error

    def _ended(self) -> list[Gateway]:
        """Take those out that nobody uses any more."""
        now = self._clock()
        ended = [(at, one) for at, one in self._leaving if one.idle and now - at >= LET_GO_AFTER]
        self._leaving = [one for one in self._leaving if one not in ended]
        return [gateway for _, gateway in ended]


def reached(
    gateways: Mapping[str, Gateway], account_ids: Collection[str]
) -> dict[str, Gateway | AccountUnusable]:
    """The client of each account, or why there is none."""
    found: dict[str, Gateway | AccountUnusable] = {}
    for account_id in account_ids:
        try:
            found[account_id] = gateways[account_id]
        except AccountUnusable as error:
            found[account_id] = error
    return found
