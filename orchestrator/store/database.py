"""Connections and transactions. One store, SQLite or PostgreSQL, chosen by a URL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql import Executable

from orchestrator import metrics
from orchestrator.errors import RowRefused, SettingError, StoreError
from orchestrator.store.one_writer import OneWriter

BUSY_FOR = 10.0  # seconds that a statement waits for another process to let the database go
CONNECT_WITHIN = 5.0  # seconds; the gateway waits 30 s for an answer to a webhook
STATEMENT_WITHIN = 30.0  # seconds; no statement of ours takes one
IDLE_WITHIN = 15.0  # seconds that a transaction may do nothing: its process hangs, and others wait for it
WORKER_DEAD_AFTER = 6.0  # seconds without a heartbeat; three beats
IN_MEMORY = "sqlite://"  # a database of one connection, gone with it
CONNECTIONS = 24  # to PostgreSQL at most, for one process

# Both give fractional epoch seconds as the database server sees them, so that leases are judged by
# one clock whatever the clocks of the workers say.
_CLOCK = {
    "sqlite": "SELECT (julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())::float8",
}
# Whatever the server's default is: a guard that waited for a row must judge it as it is now.
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"
_BEGIN = {
    "read": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "write": _WRITE,
    "lease": f"{_WRITE}; SET LOCAL synchronous_commit TO off",
}
_TOOK = {mode: metrics.TRANSACTIONS.labels(mode) for mode in _BEGIN}

_LIMITS = {
    "lock_timeout": BUSY_FOR,
    "statement_timeout": STATEMENT_WITHIN,
    "idle_in_transaction_session_timeout": IDLE_WITHIN,
}
CONNECTION_OPTIONS: dict[str, Any] = {
    "connect_timeout": int(CONNECT_WITHIN),
    "application_name": "orchestrator",
    "options": " ".join(f"-c {name}={seconds * 1000:.0f}" for name, seconds in _LIMITS.items()),
    # A server that vanished without a word is noticed within seconds, also by whoever waits for its answer.
    "tcp_user_timeout": int(BUSY_FOR * 1000),
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}


@dataclass(frozen=True, slots=True)
class Transaction:
    """An open transaction and the moment it began, by the database's clock.

    `after_commit` is for what must not be said before it is true: log lines. Messages are not sent
    from here but returned to whoever opened the door. `ring` wakes those who follow events.
    """

    connection: Connection
    now: float
    after_commit: list[Callable[[], object]] = field(default_factory=list)
    ring: Callable[[], object] = lambda: None

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run one statement in this transaction."""
        return self.connection.execute(statement, parameters)

    @contextmanager
    def part(self) -> Iterator[None]:
        """A part that can fail alone: what it wrote is undone on an exception, the rest stays.

        Raises RowRefused where the database takes what was given for impossible.
        """
        kept = len(self.after_commit)
        try:
            with self.connection.begin_nested():
                yield
        except BaseException as error:
            del self.after_commit[kept:]
            if isinstance(error, DataError | IntegrityError):
                raise RowRefused(f"the database refused a row: {_one_line(error.orig)}") from error
            raise

    @property
    def dialect(self) -> str:
        """Whose SQL is spoken: sqlite or postgresql."""
        return self.connection.dialect.name

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An insert that can say what happens when the row exists; both databases spell it alike."""
        if self.dialect == "sqlite":
            return sqlite.insert(table)
        return postgresql.insert(table)


class Store:
    """Opens transactions. `clock` replaces the database's clock where time is simulated.

    One that `only_looks` leaves a file as it is; others put it into the mode that they write in.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], float] | None = None,
        connections: int = CONNECTIONS,
        only_looks: bool = False,
    ) -> None:
        self.url = url
        self.engine = _engine(url, connections, only_looks)
        self._driver_error: type[Exception] = self.engine.dialect.loaded_dbapi.Error
        self._clock = clock
        self._closed = False
        # Called after the commit of whatever followers of events wait for; it may be called often.
        self.ring: Callable[[], object] = lambda: None
        one_writer = self.engine.dialect.name == "sqlite"
        self._begin_there = _begin_sqlite if one_writer else _begin_postgresql
        self._writer = OneWriter() if one_writer else None

    @contextmanager
    def write(self, *, durable: bool = True, yields: bool = False) -> Iterator[Transaction]:
        """A transaction that may write: committed at the end, rolled back on any exception.

        One that only takes or renews leases need not be `durable`: not waiting for the disk is felt in every
        hand-off. A process that dies loses neither kind. The database's machine without power forgets the
        latest leases while workers live on: two may then do the same work, and the guards let one end it.
        One that `yields` lets others go first where the database has one writer.
        """
        turn = self._writer.turn(yields=yields) if self._writer else nullcontext()
        with turn, self._begin("write" if durable else "lease") as tx:
            yield tx
        # Not in the writer's turn: what follows may be slow, such as a log line, or may write itself.
        _follow(tx)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A consistent view; nothing in it may write."""
        with self._begin("read") as tx:
            yield tx
        _follow(tx)

    @contextmanager
    def _begin(self, mode: str) -> Iterator[Transaction]:
        began = perf_counter()
        if self._closed:  # the lock on the file may be somebody else's by now
            raise StoreError("the store is closed", hint="this process is stopping; the next one goes on")
        try:
            with self._begun(mode) as (connection, now):
                yield Transaction(connection, now, ring=self.ring)
        except DBAPIError as error:
            raise _translated(error.orig or error) from error
        except NoConnectionFree as error:
            raise StoreError(
                f"no database connection became free within {BUSY_FOR:.0f} s",
                hint="raise ORCHESTRATOR_DATABASE_CONNECTIONS, or lower the number of threads",
            ) from error
        except self._driver_error as error:  # raised while a connection was being prepared
            raise _translated(error) from error
        finally:
            _TOOK[mode].observe(perf_counter() - began)

    @contextmanager
    def _begun(self, mode: str) -> Iterator[tuple[Connection, float]]:
        """A transaction on a pooled connection, or on a new one where the server ended those in the pool."""
        try:
            connection, now = self._begin_on_one(mode)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            connection, now = self._begin_on_one(mode)
        begun = connection.get_transaction()
        assert begun is not None
        with connection:
            try:
                with begun:
                    yield connection, now
            finally:
                # Given back to a pool that was closed meanwhile, it would stay open until it is garbage.
                if self._closed and not connection.invalidated:
                    connection.detach()

    def _begin_on_one(self, mode: str) -> tuple[Connection, float]:
        """Not by an event of SQLAlchemy's: where it knows of one, each statement looks for listeners."""
        connection = self.engine.connect()
        try:
            connection.begin()
            return connection, self._begin_there(connection, mode, self._clock)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Give every pooled connection back. Whoever still works finds the store closed."""
        self._closed = True
        self.engine.dispose()


def _follow(tx: Transaction) -> None:
    for act in tx.after_commit:
        act()


def sqlite_path(url: str) -> Path | None:
    """The file behind a SQLite URL, or None when the URL names another database."""
    parsed = make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def missing_file(url: str) -> Path | None:
    """The SQLite file behind a URL where it is not there, as far as this user may see."""
    path = sqlite_path(url)
    # Not by pathlib, which raises for what lies in a folder that may not be entered.
    return None if path is None or os.path.exists(path) else path  # noqa: PTH110


def _engine(url: str, connections: int, only_looks: bool) -> Engine:
    try:
        backend = make_url(url).get_backend_name()
    except ArgumentError as error:
        raise SettingError(
            "the database URL is not a URL",
            hint="use sqlite:////absolute/path.db or postgresql+psycopg://user@host/name",
        ) from error
    if backend not in _CLOCK:
        raise SettingError(
            f"the database {backend!r} is not supported", hint="use sqlite:/// or postgresql+psycopg://"
        )
    if backend == "sqlite":
        pool: dict[str, Any] = {"pool_size": 20, "max_overflow": 20}
        if url == IN_MEMORY:
            pool = {"poolclass": StaticPool}
        engine = create_engine(url, connect_args={"timeout": BUSY_FOR}, **pool)
        event.listen(engine, "connect", _prepare_to_look if only_looks else _prepare_sqlite)
        return engine
    from orchestrator.store.postgresql_cursor import PostgresqlCursor

    return create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=BUSY_FOR,
        # _begin_postgresql begins transactions.
        connect_args=CONNECTION_OPTIONS | {"autocommit": True, "cursor_factory": PostgresqlCursor},
    )


def _begin_postgresql(connection: Connection, mode: str, clock: Callable[[], float] | None) -> float:
    """Begin, and learn the time, in one way to the server and back.

    After a restart of the server every pooled connection is dead, which is seen here first. No question asked
    before, whether it lives: it would be one more way to the server for each transaction.
    """
    driven = connection.connection
    try:
        with closing(driven.cursor()) as cursor:
            cursor.execute(f"{_BEGIN[mode]}; {_CLOCK['postgresql']}")
            while cursor.nextset():
                pass
            ((now,),) = cursor.fetchall()
    except connection.dialect.loaded_dbapi.Error:
        # Of its own statement, SQLAlchemy sees that the connection is dead, and gives up all that are as old.
        connection.exec_driver_sql("SELECT 1")
        raise
    return clock() if clock else float(now)


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver must not open transactions by itself: _begin_sqlite says which kind.
    connection.isolation_level = None
    # The gateway waits 30 s for an answer to a webhook: a 503 must come before that.
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_FOR * 1000:.0f}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_to_look(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={BUSY_FOR * 1000:.0f}")


def _begin_sqlite(connection: Connection, mode: str, clock: Callable[[], float] | None) -> float:
    with closing(connection.connection.cursor()) as cursor:
        if mode == "read":
            cursor.execute("BEGIN")
        else:
            cursor.execute(f"PRAGMA synchronous={'NORMAL' if mode == 'lease' else 'FULL'}")
            # A deferred transaction that turns writer half-way fails at once with "database is locked".
            cursor.execute("BEGIN IMMEDIATE")
        if clock:
            return clock()
        ((now,),) = cursor.execute(_CLOCK["sqlite"])
        return float(now)


# The first that fits: PostgreSQL says "connection failed" before whatever the reason is.
_HINTS = {
    "disk is full": "free some space on the disk that holds the database; nothing is lost",
    "No space left": "free some space on the database server's disk; nothing is lost",
    "could not extend file": "free some space on the database server's disk; nothing is lost",
    "read-only transaction": "this server is a standby: point ORCHESTRATOR_DATABASE_URL at the primary",
    "readonly": "make the database file and its folder writable for this user",
    "unable to open": "check that the folder of the database exists and is writable",
    "not a database": "this file is of another program: point ORCHESTRATOR_DATA_DIR or "
    "ORCHESTRATOR_DATABASE_URL elsewhere",
    "malformed": "the file is damaged: put a backup in its place, or let SQLite's `.recover` read it",
    "locked": "another program holds the database; it is tried again",
    "password authentication": "correct the user or the password in ORCHESTRATOR_DATABASE_URL",
    "no password supplied": "put a password into ORCHESTRATOR_DATABASE_URL, or let ~/.pgpass have it",
    "pg_hba.conf": "let pg_hba.conf of the server admit this user from this machine",
    "does not exist": "make it at the server, or correct its name in ORCHESTRATOR_DATABASE_URL",
    "permission denied": "let this user own the tables, or grant it all that may be done with them",
    "resolve host": "correct the host in ORCHESTRATOR_DATABASE_URL, or let its name resolve on this machine",
    "too many clients": "raise max_connections, or lower ORCHESTRATOR_DATABASE_CONNECTIONS",
    "starting up": "the database server is starting; it is tried again",
    "timeout expired": "see whether PostgreSQL runs there and what the network does with connections to it",
    "connection failed": "start PostgreSQL, or correct ORCHESTRATOR_DATABASE_URL; it is tried again",
    "terminating connection": "the database server is stopping or was restarted; it is tried again",
    "server closed the connection": "the database server went away; it is tried again",
    "deadlock": "two transactions waited for each other; it is tried again",
    "lock timeout": "another transaction holds the row for too long; it is tried again",
}


def _translated(error: BaseException) -> StoreError:
    cause = _one_line(error)
    hint = next((hint for word, hint in _HINTS.items() if word in cause), "check the database and its URL")
    return StoreError(f"the database could not be used: {cause}", hint=hint)


def _one_line(error: BaseException | None) -> str:
    return " ".join(str(error).split())  # the drivers write several
