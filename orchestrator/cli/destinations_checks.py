"""Whether each destination could be made from what is said of it, and every secret at rest be read."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator import wiring
from orchestrator.cli.findings import Finding
from orchestrator.cli.looking import Rows
from orchestrator.engine import unkept
from orchestrator.engine.building import Builder, settings_of
from orchestrator.engine.destination_settings import DestinationSettings, KindSettings
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.engine.rotation import tokens_in_file
from orchestrator.errors import SettingError
from orchestrator.settings import Settings
from orchestrator.store import accounts, configured
from orchestrator.store.database import Transaction


def destinations(settings: Settings, rows: Rows) -> list[Finding]:
    """One for each that is wrong, and all by their names: options and secrets are read, nothing is called."""
    http = HttpLoop()
    make = wiring.builder(settings, http.run)
    try:
        found, names = [], []
        for name, said in _said(settings, rows):
            problem = said if isinstance(said, SettingError) else _why_not(settings, make, said)
            names.append(name)
            if problem is not None:
                found.append(Finding("fail", "destinations", problem.message, problem.hint))
        if not found:
            wiring.catalogue(settings, None, http.run).close()
    except SettingError as error:  # of the file as a whole, or of what its destinations need together
        return [Finding("fail", "destinations", error.message, error.hint)]
    finally:
        http.stop()
    where = f"{settings.destinations_file}: " if settings.destinations_file else ""
    told = [Finding("ok", "destinations", where + (", ".join(names) or "none"))] if where or names else []
    return found or told


def _why_not(settings: Settings, make: Builder, said: KindSettings) -> SettingError | None:
    try:
        make.options(said)
    except SettingError as error:
        return error
    if settings.keep_outputs or not isinstance(said, DestinationSettings):
        return None
    return unkept.why_not(said.route)


def _said(settings: Settings, rows: Rows) -> Iterator[tuple[str, KindSettings | SettingError]]:
    given = wiring.configured(settings)
    yield from ((one.name, one) for one in given.destinations)
    if given.archive_options is not None:
        yield given.archive_options.name, given.archive_options
    for entry in rows.read(configured.every):
        try:
            yield entry.name, settings_of(entry)
        except SettingError as error:
            yield entry.name, error


def secrets(settings: Settings, rows: Rows) -> list[Finding]:
    """Every secret that is encrypted at rest, and by which key."""
    sealed = dict(_sealed(settings, rows))
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
        hint = "`orchestrator secrets rotate` encrypts them with the newest key; then remove the older one"
        return [Finding("warn", "secrets", found, hint)]
    return [Finding("ok", "secrets", f"{len(sealed)} at rest, all by the newest key")]


def _sealed(settings: Settings, rows: Rows) -> Iterator[tuple[str, str]]:
    if settings.destinations_file is not None:
        try:
            file = tokens_in_file(settings.destinations_file)
        except SettingError:
            file = {}  # said by the check of the destinations
        yield from ((f"{settings.destinations_file}: {place}", token) for place, token in file.items())
    yield from rows.read(_sealed_rows)


def _sealed_rows(tx: Transaction) -> list[tuple[str, str]]:
    found = [(f"destination {one.name}", one.secrets) for one in configured.every(tx)]
    found += [(f"account {one.tenant_id}/{one.name}", one.secrets) for one in accounts.every(tx)]
    return [(place, token) for place, token in found if token]
