"""All destinations for a command to show or try, be there a database or not; nothing is made for that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from orchestrator import wiring
from orchestrator.cli.findings import Finding
from orchestrator.cli.side_by_side import Check, side_by_side
from orchestrator.engine.building import settings_of
from orchestrator.engine.catalogue import Catalogue, Destination
from orchestrator.engine.destination_settings import MASK, DestinationSettings
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import NotFound, OrchestratorError, SettingError
from orchestrator.settings import Settings
from orchestrator.store import configured, destinations
from orchestrator.store.configured import Entry
from orchestrator.store.database import Store, missing_file
from orchestrator.store.destinations import Failing
from orchestrator.store.migrate import require_current

PROBES_WITHIN = 15.0  # seconds for all of them, at the same time


@dataclass(frozen=True, slots=True)
class Shown:
    """One destination as a person may see it. `source` is file, database or built in."""

    name: str
    type: str
    source: str
    outcomes: list[str]
    deliver: str
    default: bool
    at_once: int | None
    options: dict[str, Any]
    tenants: list[str] | None = None
    problem: str | None = None


def every(settings: Settings) -> list[Shown]:
    """All destinations. Raises SettingError where the file is wrong."""
    with _opened(settings) as (catalogue, store):
        entries, failing = _entries(store), _failing(store)
        said = {one.name: one for one in wiring.configured(settings).destinations}
        found = [
            _shown(settings, one, said.get(one.name), entries.get(one.name)) for one in catalogue.values()
        ]
    return [replace(one, problem=one.problem or _trouble(failing.get(one.name))) for one in found]


def one(settings: Settings, name: str) -> Shown:
    """The one of this name. Raises NotFound."""
    found = next((shown for shown in every(settings) if shown.name == name), None)
    if found is None:
        raise _unknown(name)
    return found


def probes(settings: Settings, name: str | None = None) -> list[Finding]:
    """What came of writing a probe to each destination, or to one. Raises NotFound."""
    try:
        with _opened(settings) as (catalogue, _):
            if name is not None and name not in catalogue:
                raise _unknown(name)
            asked = [one for one in catalogue.values() if name in (None, one.name)]
            checks = [Check(f"destination {one.name}", partial(_probe, one)) for one in asked]
            return side_by_side(checks, within=PROBES_WITHIN)
    except NotFound:
        raise
    except OrchestratorError as error:
        return [Finding("fail", "destinations", error.message, error.hint)]


@contextmanager
def existing_store(settings: Settings, *, only_looks: bool = False) -> Iterator[Store | None]:
    """The database, unless it is a file that is not there yet. Raises StoreError for another version."""
    if missing_file(settings.resolved_database_url):
        yield None
        return
    store = wiring.open_store(settings, only_looks=only_looks)
    try:
        require_current(store)
        yield store
    finally:
        store.close()


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Catalogue, Store | None]]:
    with ExitStack() as stack:
        store = stack.enter_context(existing_store(settings, only_looks=True))
        http = HttpLoop()
        stack.callback(http.stop)
        catalogue = wiring.catalogue(settings, store, http.run)
        stack.callback(catalogue.close)
        stack.callback(http.cancel)  # first: a client that is closed during a call is not closed whole
        yield catalogue, store


def _entries(store: Store | None) -> dict[str, Entry]:
    if store is None:
        return {}
    with store.read() as tx:
        return {one.name: one for one in configured.every(tx)}


def _failing(store: Store | None) -> dict[str, Failing]:
    if store is None:
        return {}
    with store.read() as tx:
        return destinations.failing(tx)


def _trouble(failing: Failing | None) -> str | None:
    """Why nothing is taken there at the moment, if that is so."""
    if failing is None or not (failing.disabled_at or failing.shut_until):
        return None
    again = f"`orchestrator destinations enable {failing.name}` delivers again"
    if failing.disabled_at:
        return f"disabled, {failing.reason}; {again}"
    return (
        f"shut after {failing.failures} failures, {failing.reason}; it is tried now and then; {again} at once"
    )


def _probe(destination: Destination) -> list[Finding]:
    what = f"destination {destination.name}"
    try:
        destination.sink.check()
    except OrchestratorError as error:
        return [Finding("fail", what, error.message, error.hint)]
    except Exception as error:  # noqa: BLE001 - somebody else's kind; the others are tried all the same
        found = f"its kind broke: {type(error).__name__}: {error}"
        return [Finding("fail", what, found, "this is a bug of the kind: report it to its author")]
    return [Finding("ok", what, "a probe was written there and removed")]


def _shown(
    settings: Settings, destination: Destination, said: DestinationSettings | None, entry: Entry | None
) -> Shown:
    kind, source, options, problem = "folder", "built in", {"path": str(settings.output_dir.absolute())}, None
    if entry is not None:
        said, problem = _read(entry)
        kind, source, options = entry.kind, "database", {}
    if said is not None:
        kind, source = said.type, source if entry else "file"
        options = said.options | dict.fromkeys(said.secrets, MASK)
    return Shown(
        destination.name,
        kind,
        source,
        [str(outcome) for outcome in destination.outcomes],
        "link" if destination.link else "files",
        destination.default,
        destination.at_once,
        options,
        list(destination.tenants) if destination.tenants else None,
        problem,
    )


def _read(entry: Entry) -> tuple[DestinationSettings | None, str | None]:
    try:
        return settings_of(entry), None
    except SettingError as error:
        return None, error.message


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no destination {name}", hint="`orchestrator destinations list` shows all")
