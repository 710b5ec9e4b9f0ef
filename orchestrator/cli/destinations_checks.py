"""Whether each destination could be made from what is said of it, and every secret at rest be read."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator import wiring
from orchestrator.cli.catalogued import existing_store
from orchestrator.cli.findings import Finding
from orchestrator.engine.building import Builder, settings_of
from orchestrator.engine.destination_settings import KindSettings
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.engine.rotation import tokens_in_file
from orchestrator.errors import SettingError, StoreError
from orchestrator.settings import Settings
from orchestrator.store import accounts, configured


def destinations(settings: Settings) -> list[Finding]:
    """One for each that is wrong, and all by their names: options and secrets are read, nothing is called."""
    http = HttpLoop()
    make = wiring.builder(settings, http.run)
    try:
        found, names = [], []
        for name, said in _said(settings):
            problem = said if isinstance(said, SettingError) else _why_not(make, said)
            names.append(name)
            if problem is not None:
                found.append(Finding("fail", "destinations", problem.message, problem.hint))
        wiring.catalogue(settings, None, http.run).close()
    except SettingError as error:  # of the file as a whole, or of what its destinations need together
        return [Finding("fail", "destinations", error.message, error.hint)]
    finally:
        http.stop()
    where = f"{settings.destinations_file}: " if settings.destinations_file else ""
    told = [Finding("ok", "destinations", where + (", ".join(names) or "none"))] if where or names else []
    return found or told


def _why_not(make: Builder, said: KindSettings) -> SettingError | None:
    try:
        make.options(said)
    except SettingError as error:
        return error
    return None


def _said(settings: Settings) -> Iterator[tuple[str, KindSettings | SettingError]]:
    given = wiring.configured(settings)
    yield from ((one.name, one) for one in given.destinations)
    if given.archive_options is not None:
        yield given.archive_options.name, given.archive_options
    for entry in _entries(settings):
        try:
            yield entry.name, settings_of(entry)
        except SettingError as error:
            yield entry.name, error


def _entries(settings: Settings) -> list[configured.Entry]:
    try:
        with existing_store(settings) as store:
            if store is None:
                return []
            with store.read() as tx:
                return configured.every(tx)
    except StoreError:
        return []  # said by the check of the database


def secrets(settings: Settings) -> list[Finding]:
    """Every secret that is encrypted at rest, and by which key."""
    sealed = dict(_sealed(settings))
    if not sealed:
        return []
    vault, unread, older = wiring.vault(settings), [], 0
    for place, token in sealed.items():
        try:
            older += vault.reseal(token) != token
        except SettingError as error:
            unread.append(Finding("fail", "secrets", f"{place}: {error.message}", error.hint))
    if unread:
        return unread
    if older:
        found = f"{older} of {len(sealed)} are encrypted with an older key"
        hint = "`orchestrator secrets rotate` encrypts them anew; then the older key can go"
        return [Finding("warn", "secrets", found, hint)]
    return [Finding("ok", "secrets", f"{len(sealed)} at rest, all by the newest key")]


def _sealed(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.destinations_file is not None:
        try:
            file = tokens_in_file(settings.destinations_file)
        except SettingError:
            file = {}  # said by the check of the destinations
        yield from ((f"{settings.destinations_file}: {place}", token) for place, token in file.items())
    try:
        with existing_store(settings) as store:
            if store is None:
                return
            with store.read() as tx:
                found = [(f"destination {one.name}", one.secrets) for one in configured.every(tx)]
                found += [(f"account {one.tenant_id}/{one.name}", one.secrets) for one in accounts.every(tx)]
    except StoreError:
        return  # said by the check of the database
    yield from ((place, token) for place, token in found if token)
