"""Whether the database can be used: reached, written, of this version, and with a clock like ours."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from orchestrator import wiring
from orchestrator.cli.findings import Finding
from orchestrator.engine.alarms import CLOCK_MAY_DIFFER
from orchestrator.errors import OrchestratorError
from orchestrator.settings import Settings
from orchestrator.store import migrate
from orchestrator.store.database import Store, sqlite_path
from orchestrator.store.rights import require_writable

MOUNTS = Path("/proc/mounts")
# SQLite's locks and its shared memory do not work over these.
OVER_A_NETWORK = ("nfs", "cifs", "smb", "fuse.sshfs", "9p", "afs", "ceph", "glusterfs", "fuse.glusterfs")


def database(settings: Settings) -> list[Finding]:
    """Nothing is made and nothing is written."""
    try:
        path = sqlite_path(settings.resolved_database_url)
        if path is not None and not os.path.lexists(path):
            return [not_there_yet("database", path, "ORCHESTRATOR_DATA_DIR"), *_network(path)]
        with closing(wiring.open_store(settings, only_looks=True)) as store:
            found = [_version(store, str(path or "the configured one"), settings)]
            return [*found, *(_network(path) if path else _clock(store))]
    except OrchestratorError as error:
        return [Finding("fail", "database", error.message, error.hint)]


def not_there_yet(what: str, path: Path, setting: str) -> Finding:
    """Whether the first start can make it; nothing is made here."""
    above = next(one for one in path.absolute().parents if os.path.lexists(one))
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        return Finding("ok", what, f"{path} is made at the first start")
    hint = f"point {setting} at a folder that this user may write"
    return Finding("fail", what, f"{path} cannot be made: {above} is not a folder that can be written", hint)


def _version(store: Store, name: str, settings: Settings) -> Finding:
    at = migrate.version(store)
    if not at.current:
        found = f"{name} is at revision {at.found or 'none'}, this program needs {at.wanted}"
        if settings.scaled:
            hint = "run `orchestrator migrate`: `web` and `worker` start on no other revision"
            return Finding("fail", "database", found, hint)
        return Finding("warn", "database", found, "`orchestrator migrate` upgrades it, and so does `up`")
    with store.write() as tx:  # takes the lock that a writer needs, and writes nothing
        require_writable(tx)
        return Finding("ok", "database", f"{name}, revision {at.found}")


def _clock(store: Store) -> list[Finding]:
    """The server's against ours; a file has ours."""
    with store.read() as tx:
        off = wiring.wall_clock() - tx.now
    if abs(off) <= CLOCK_MAY_DIFFER:
        return []
    way = "ahead of" if off > 0 else "behind"
    hint = "synchronize both by NTP: due times are by the database's clock, signatures by this one"
    return [Finding("warn", "clock", f"this clock is {abs(off):.0f} s {way} the database's", hint)]


def _network(path: Path) -> list[Finding]:
    kind = _filesystem(path)
    if not kind.startswith(OVER_A_NETWORK):
        return []
    hint = "put it on a disk of this machine, or use PostgreSQL (ORCHESTRATOR_DATABASE_URL)"
    return [Finding("fail", "database", f"{path} is on {kind}, where SQLite's locks do not work", hint)]


def _filesystem(path: Path, mounts: Path = MOUNTS) -> str:
    """The kind of filesystem a path is on; empty where the system does not say."""
    try:
        rows = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return ""
    above = {str(one) for one in (path.absolute(), *path.absolute().parents)}
    found = [(len(row[1]), row[2]) for row in rows if len(row) > 2 and row[1] in above]
    return max(found, default=(0, ""))[1]
