"""Whether the ports can be had, and how much may be open at once."""

from __future__ import annotations

import errno
import resource
import socket
from functools import partial

from orchestrator import wiring
from orchestrator.cli import processes_checks
from orchestrator.cli.findings import Finding
from orchestrator.cli.looking import Rows
from orchestrator.errors import SettingError
from orchestrator.processes.listening import OTHER_FILES, listen
from orchestrator.settings import Settings, ports_of
from orchestrator.store import workers


def port(settings: Settings, rows: Rows) -> list[Finding]:
    """Those of receiver and API are free, or taken by one of ours."""
    return [_free(settings, rows), *_open_files(settings)]


def metrics_port(settings: Settings, rows: Rows) -> list[Finding]:
    """The one for metrics, or one of its range, is free, or taken by what runs here."""
    if settings.metrics_address is None:
        return []
    host, ports = ports_of(settings.metrics_address)
    for one in ports:
        try:
            socket.create_server(
                (host, one), family=socket.AF_INET6 if ":" in host else socket.AF_INET
            ).close()
        except OSError as error:
            why = error
        else:
            return [Finding("ok", "metrics port", f"{host}:{one} is free")]
    reason = (why.strerror or str(why)).partition(" (while")[0]  # Python adds the address once more
    where = f"{settings.metrics_address} cannot be listened on: {reason}"
    if why.errno == errno.EADDRINUSE and rows.read(partial(workers.alive, host=wiring.whoami()[0])):
        hint = "an orchestrator runs on this machine; to start another, give a range: 127.0.0.1:9464-9479"
        return [Finding("warn", "metrics port", where, hint)]
    hint = "set ORCHESTRATOR_METRICS_ADDRESS to a free port, or to a range of them"
    return [Finding("fail", "metrics port", where, hint)]


def _free(settings: Settings, rows: Rows) -> Finding:
    where = f"{settings.host}:{settings.port}"
    try:
        with listen(settings):
            pass
    except SettingError as error:
        cause = error.__cause__
        taken = isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE
        ours = _who_has_the_port(settings, rows, where) if taken else None
        return ours or Finding("fail", "port", error.message, error.hint)
    if settings.api_address:
        api_host, api_port = settings.api_address
        return Finding("ok", "port", f"{where} and {api_host}:{api_port} are free")
    return Finding("ok", "port", f"{where} is free")


def _who_has_the_port(settings: Settings, rows: Rows, where: str) -> Finding | None:
    """What to say where one of our own listens there."""
    answers = processes_checks.answers_here(settings)
    if settings.scaled:  # workers that beat may be on any machine, and none of them listens
        return (
            Finding("ok", "port", f"{where} is taken by `orchestrator web`, which answers")
            if answers
            else None
        )
    running = rows.read(workers.alive)  # what works on the database
    if answers and running:
        found = f"{where} is taken by an orchestrator (process {running[0]}), which answers"
        return Finding("ok", "port", found)
    if answers:
        hint = (
            "an orchestrator with another database has it: stop that, or set ORCHESTRATOR_PORT to a free one"
        )
        return Finding("fail", "port", f"{where} is taken", hint)
    return None


def _open_files(settings: Settings) -> list[Finding]:
    ports = settings.api_connections + (settings.receiver_connections if settings.api_address else 0)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY or most >= ports + OTHER_FILES:
        return []
    found = f"a process may open {most} files: fewer connections are taken than the {ports} of the settings"
    hint = "raise the limit (`ulimit -n`, LimitNOFILE=), or lower ORCHESTRATOR_API_CONNECTIONS"
    return [Finding("warn", "open files", found, hint)]
