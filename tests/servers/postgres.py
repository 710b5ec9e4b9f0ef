"""PostgreSQL for tests: databases in a server that is there, or a private server to do anything to."""

import contextlib
import ctypes
import itertools
import secrets
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import psycopg
from psycopg.rows import TupleRow
from sqlalchemy.engine import URL, make_url

from tests.patience import LONG
from tests.servers.folders import program_for, unprivileged
from tests.servers.private import PrivateServer
from tests.servers.processes import ServerBroken, clean_environment, launched
from tests.servers.programs import POSTGRES, program

DRIVER = "postgresql+psycopg"
_USER = "tests"
_IPC_RMID = 0

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "dynamic_shared_memory_type": "mmap",  # in the server's folder: nothing is left when it is killed
    "timezone": "UTC",
}
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}

_EMPTY = "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"


class Databases:
    """Databases in a running server, each new, all gone at the end."""

    def __init__(self, url: str = "") -> None:
        self._url = url
        self._prefix = f"test_{secrets.token_hex(4)}_"  # the server may be somebody else's too
        self._numbers = itertools.count()
        self._made: set[str] = set()
        self._templates: dict[str, str] = {}

    @property
    def url(self) -> str:
        """The server's own database, to be left alone."""
        return _rendered(make_url(self._url).set(drivername=DRIVER))

    def database(self, name: str = "", *, like: str = "") -> str:
        """The URL of a fresh database: empty, or a copy of the template `like`. A named one is made anew."""
        full = self._prefix + (name or str(next(self._numbers)))
        with self.connect() as connection:
            if full in self._made:
                connection.execute(f'DROP DATABASE "{full}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{full}" {self._copy(connection, like)}')
        self._made.add(full)
        return self._named(full)

    def _named(self, full: str) -> str:
        return _rendered(make_url(self.url).set(database=full))

    def _copy(self, connection: psycopg.Connection[TupleRow], like: str) -> str:
        template = f'TEMPLATE "{self._templates[like]}"' if like else _EMPTY
        # Quicker for small ones than to log every page; the only way there was before 15.
        return template + (" STRATEGY FILE_COPY" if connection.info.server_version >= 150_000 else "")

    def template(self, name: str, fill: Callable[[str], object]) -> str:
        """The name to give as `like`; `fill` is called with the URL of a new database, the first time."""
        if name not in self._templates:
            url = self.database(f"template_{name}")
            fill(url)
            full = make_url(url).database or ""
            with self.connect() as connection:  # a template that anybody is connected to cannot be copied
                connection.execute(f'ALTER DATABASE "{full}" ALLOW_CONNECTIONS false')
            self._templates[name] = full
        return name

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        name = make_url(url).database or ""
        self._made.remove(name)
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def drop_all(self) -> None:
        """Remove every database that was made here."""
        for name in sorted(self._made):
            self.drop(self._named(name))

    def connect(self, url: str = "") -> psycopg.Connection[TupleRow]:
        """A connection of its own to the server, or to the database at a URL."""
        plain = _rendered(make_url(url or self.url).set(drivername="postgresql"))
        return psycopg.connect(plain, autocommit=True, connect_timeout=int(LONG))


def _rendered(url: URL) -> str:
    return url.render_as_string(hide_password=False)


class PostgresServer(PrivateServer, Databases):
    """A private server. Not `durable`, it does not wait for the disk: fine for what is done to processes."""

    name = "postgres"
    stops: ClassVar = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
    dies_with_us_by = signal.SIGQUIT

    def __init__(self, executable: Path | None = None, *, durable: bool = False, **settings: str) -> None:
        Databases.__init__(self)
        self._found = executable or program(POSTGRES)
        self._settings = _SETTINGS | ({} if durable else _NOT_DURABLE) | settings
        PrivateServer.__init__(self, unprivileged())

    @property
    def url(self) -> str:
        return f"{DRIVER}://{_USER}@127.0.0.1:{self.port}/postgres"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _prepare(self) -> None:
        self._program = program_for(self.user, self._found, self.folder)
        initdb = [str(self._program.with_name("initdb")), "-D", str(self._data), "--no-sync", "-A", "trust"]
        done = subprocess.run(
            launched([*initdb, "-U", _USER, "-E", "UTF8", "--locale=C"], self.user),
            cwd=self.folder,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise ServerBroken(f"initdb failed:\n{(done.stdout + done.stderr).decode(errors='replace')}")

    def _command(self) -> list[str]:
        settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._program), "-D", str(self._data), "-p", str(self.port), *settings]

    def _answers(self) -> bool:
        try:
            with self.connect() as connection:
                row = connection.execute("SHOW data_directory").fetchone()
        except psycopg.OperationalError:
            return False
        return row == (str(self._data),)

    def kill(self) -> None:
        """SIGKILL for every process of it."""
        segment = self._shared_memory()
        super().kill()
        if segment is not None:
            ctypes.CDLL(None).shmctl(segment, _IPC_RMID, None)

    def _shared_memory(self) -> int | None:
        """A few bytes that a killed server leaves in the system for good: line 7 has key and id."""
        with contextlib.suppress(OSError, IndexError, ValueError):
            return int((self._data / "postmaster.pid").read_text().splitlines()[6].split()[1])
        return None
