"""Whether the ports can be had, and how much may be open at once."""

from __future__ import annotations

import errno
import resource
from contextlib import closing

from orchestrator import wiring
from orchestrator.cli import processes_checks
from orchestrator.cli.findings import Finding
from orchestrator.errors import SettingError, StoreError
from orchestrator.processes.listening import OTHER_FILES, listen
from orchestrator.settings import Settings
from orchestrator.store import workers
from orchestrator.store.database import sqlite_path


def port(settings: Settings) -> list[Finding]:
    """Those of receiver and API are free, or taken by one of ours."""
    return [_free(settings), *_open_files(settings)]


def _free(settings: Settings) -> Finding:
    where = f"{settings.host}:{settings.port}"
    try:
        with listen(settings):
            pass
    except SettingError as error:
        cause = error.__cause__
        taken = isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE
        ours = _who_has_the_port(settings, where) if taken else None
        return ours or Finding("fail", "port", error.message, error.hint)
    if settings.api_address:
        api_host, api_port = settings.api_address
        return Finding("ok", "port", f"{where} and {api_host}:{api_port} are free")
    return Finding("ok", "port", f"{where} is free")


def _who_has_the_port(settings: Settings, where: str) -> Finding | None:
    """What to say where one of our own listens there."""
    if settings.scaled:  # workers that beat may be on any machine, and none of them listens
        if processes_checks.web_answers(settings).status == "ok":
            return Finding("ok", "port", f"{where} is taken by `orchestrator web`, which answers")
        return None
    running = _running(settings)
    hint = f"an orchestrator runs (process {running[0]})" if running else ""
    return Finding("warn", "port", f"{where} is taken", hint) if running else None


def _running(settings: Settings) -> list[int]:
    """The processes that work on the database."""
    path = sqlite_path(settings.resolved_database_url)
    if path is not None and not path.exists():
        return []
    try:
        with closing(wiring.open_store(settings)) as store, store.read() as tx:
            return workers.alive(tx)
    except StoreError:
        return []  # said by the check of the database


def _open_files(settings: Settings) -> list[Finding]:
    ports = settings.api_connections + (settings.receiver_connections if settings.api_address else 0)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY or most >= ports + OTHER_FILES:
        return []
    found = f"a process may open {most} files: fewer connections are taken than the {ports} of the settings"
    hint = "raise the limit (`ulimit -n`, LimitNOFILE=), or lower ORCHESTRATOR_API_CONNECTIONS"
    return [Finding("warn", "open files", found, hint)]
