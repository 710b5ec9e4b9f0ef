"""Every check: what it looks at, whether that would work, and what to do if not."""

from __future__ import annotations

import errno
import os
from contextlib import closing
from pathlib import Path

from orchestrator import wiring
from orchestrator.cli import accounts_checks, catalogued, limits_checks, processes_checks
from orchestrator.cli.findings import Finding
from orchestrator.core.learned.hooks import Health
from orchestrator.engine import hook_health
from orchestrator.engine.hook_health import Standing
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import OrchestratorError, SettingError, StoreError
from orchestrator.processes.listening import listen
from orchestrator.settings import Settings
from orchestrator.store import migrate, workers
from orchestrator.store.database import Store, sqlite_path


def every_check(settings: Settings, *, destinations: bool = False) -> list[Finding]:
    """All checks in order; with `destinations` those that write there too."""
    return [
        Finding("ok", "settings", "all known and readable"),
        _database(settings),
        *([processes_checks.broker(settings)] if settings.scaled else []),
        _output_folder(settings),
        _archive(settings, write=destinations),
        *accounts_checks.gateways(settings),
        _webhooks(settings),
        *_hook_health(settings),
        _port(settings),
        *limits_checks.limits(settings),
        *(catalogued.probes(settings) if destinations else _destinations_file(settings)),
    ]


def _database(settings: Settings) -> Finding:
    try:
        path = sqlite_path(settings.resolved_database_url)
        if path is not None and not os.path.lexists(path):
            return _not_there_yet("database", path, "ORCHESTRATOR_DATA_DIR")
        store = wiring.open_store(settings)
        try:
            return _version(store, str(path or "the configured one"))
        finally:
            store.close()
    except OrchestratorError as error:
        return Finding("fail", "database", error.message, error.hint)


def _not_there_yet(what: str, path: Path, setting: str) -> Finding:
    """Whether the first start can make it; nothing is made here."""
    above = next(one for one in path.absolute().parents if os.path.lexists(one))
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        return Finding("ok", what, f"{path} is made at the first start")
    hint = f"point {setting} at a folder that this user may write"
    return Finding("fail", what, f"{path} cannot be made: {above} is not a folder that can be written", hint)


def _version(store: Store, name: str) -> Finding:
    at = migrate.version(store)
    if not at.current:
        found = f"{name} is at revision {at.found or 'none'}, this program needs {at.wanted}"
        return Finding("warn", "database", found, "`orchestrator migrate` upgrades it")
    with store.write():  # takes the lock that a writer needs, and writes nothing
        return Finding("ok", "database", f"{name}, revision {at.found}")


def _output_folder(settings: Settings) -> Finding:
    folder = settings.output_dir.absolute()
    if not os.path.lexists(folder):  # asked to check itself, the destination would make it
        return _not_there_yet("output folder", folder, "ORCHESTRATOR_OUTPUT_DIR")
    try:
        wiring.output_folder(settings).check()
    except OrchestratorError as error:
        return Finding("fail", "output folder", error.message, error.hint)
    return Finding("ok", "output folder", str(folder))


def _destinations_file(settings: Settings) -> list[Finding]:
    if settings.destinations_file is None:
        return []
    try:
        found = wiring.configured(settings).destinations
    except SettingError as error:
        return [Finding("fail", "destinations", error.message, error.hint)]
    names = ", ".join(one.name for one in found) or "none"
    return [Finding("ok", "destinations", f"{settings.destinations_file}: {names}")]


def _archive(settings: Settings, *, write: bool) -> Finding:
    folder, http = settings.resolved_archive_dir, HttpLoop()
    try:
        there = wiring.archive(settings, wiring.builder(settings, http.run))
        elsewhere = wiring.configured(settings).archive_options is not None
        if not write and not elsewhere and not os.path.lexists(folder):
            return _not_there_yet("archive", folder, "ORCHESTRATOR_ARCHIVE_DIR")
        if elsewhere and not write:
            return Finding("ok", "archive", "as the destinations file says; --destinations tries it")
        there.check()
    except OrchestratorError as error:
        return Finding("fail", "archive", error.message, error.hint)
    finally:
        http.stop()
    return Finding("ok", "archive", "as the destinations file says" if elsewhere else str(folder))


def _webhooks(settings: Settings) -> Finding:
    if settings.webhook_endpoint_id:  # the settings were refused if it had no secret
        count = len(settings.webhook_secrets)
        secrets = "1 secret" if count == 1 else f"{count} secrets"
        return Finding("ok", "webhooks", f"endpoint {settings.webhook_endpoint_id}, {secrets}")
    hint = "set ORCHESTRATOR_WEBHOOK_ENDPOINT_ID and ORCHESTRATOR_WEBHOOK_SECRETS to be called instead"
    return Finding("warn", "webhooks", "no endpoint: jobs are followed by looks alone", hint)


def _hook_health(settings: Settings) -> list[Finding]:
    """How the webhooks of each endpoint come, once some were awaited."""
    path = sqlite_path(settings.resolved_database_url)
    if path is not None and not path.exists():
        return []
    try:
        with closing(wiring.open_store(settings)) as store:
            if not migrate.version(store).current:
                return []  # said by the check of the database, as what fails is
            with store.read() as tx:
                return [_comes(one) for one in hook_health.of_every(tx) if one.provider is None]
    except OrchestratorError:
        return []


def _comes(one: Standing) -> Finding:
    status = "warn" if one.health in (Health.SILENT, Health.DEGRADED) else "ok"
    hint = "looks make up for them; `orchestrator hooks health` tells of each provider"
    return Finding(status, "hook health", f"{one.account}: {one.health}, {one.why}", hint)


def _port(settings: Settings) -> Finding:
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
    store = wiring.open_store(settings)
    try:
        with store.read() as tx:
            return workers.alive(tx)
    except StoreError:
        return []  # said by the check of the database
    finally:
        store.close()
