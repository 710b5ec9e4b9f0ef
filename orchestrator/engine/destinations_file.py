"""The TOML file of destinations: `[destinations.NAME]` tables, and one `[archive]` table if wanted."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from orchestrator.core.routes import ARCHIVE
from orchestrator.core.vault import MARK
from orchestrator.engine.destination_settings import (
    DestinationSettings,
    KindSettings,
    check,
    for_kind,
    problems,
    require_name,
    split,
)
from orchestrator.engine.secret_sources import FILLED_IN, read_each, reference
from orchestrator.errors import SettingError
from orchestrator.sinks import kinds
from orchestrator.sinks.kinds import COMMON, Installed, is_table

DESTINATIONS = "destinations"
KINDS_OF_ARCHIVE = ("folder", "bucket")


@dataclass(frozen=True, slots=True)
class Configured:
    """What the file says. `archive_options` is None where it says nothing of the archive."""

    destinations: tuple[DestinationSettings, ...] = ()
    archive_options: KindSettings | None = None


def read_file(path: Path) -> Configured:
    """What the file says, with secrets still where they are. Raises SettingError naming all that is wrong."""
    document = parse(read_bytes(path), path)
    wrong = [f"[{name}] is neither [destinations.NAME] nor [archive]" for name in _strange(document)]
    tables = document.get(DESTINATIONS, {})
    if not isinstance(tables, dict):
        tables, wrong = {}, [*wrong, f"[{DESTINATIONS}] is not a table"]
    readers = [_Table(f"{DESTINATIONS}.{name}", name, table) for name, table in tables.items()]
    destinations = [one.destination() for one in readers]
    readers += [_Table(ARCHIVE, ARCHIVE, document[ARCHIVE])] if ARCHIVE in document else []
    archive = readers[-1].archive() if ARCHIVE in document else None
    if wrong := [*wrong, *(words for one in readers for words in one.wrong)]:
        hint = "docs/how-to/add-a-destination.md has examples of each kind"
        raise SettingError(f"{path}: {'; '.join(wrong)}", hint=hint)
    return Configured(tuple(one for one in destinations if one), archive)


def read_bytes(path: Path) -> bytes:
    """The file as it is. Raises SettingError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingError(
            f"the destinations file {path} cannot be read: {error.strerror}",
            hint="correct ORCHESTRATOR_DESTINATIONS_FILE, or let this user read the file",
        ) from error


def parse(content: bytes, path: Path) -> dict[str, Any]:
    """The file's tables. Raises SettingError, with the line, where it is not TOML."""
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError:
        raise SettingError(f"{path} is not text in UTF-8", hint="save it as UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingError(f"{path} is not TOML: {error}", hint="texts are in quotes") from None


def _strange(document: Mapping[str, Any]) -> list[str]:
    return [name for name in document if name not in (DESTINATIONS, ARCHIVE)]


class _Table:
    """One table of the file, and all that is wrong in it."""

    def __init__(self, place: str, name: str, given: Any) -> None:
        self.wrong: list[str] = []
        self._place = place
        self._name = name
        self._given = given if isinstance(given, dict) else {}
        if not isinstance(given, dict):
            self._note("", "is not a table")

    def destination(self) -> DestinationSettings | None:
        """What it says, if nothing is wrong."""
        try:
            require_name(self._name)
        except SettingError as error:
            self._note("", f"{error.message}: {error.hint}")
        kind = self._kind(kinds.names())
        if kind is None:
            return None
        common = {field: self._given[field] for field in (COMMON - {"name"}) & self._given.keys()}
        options, secrets = self._options(kind, common.keys())
        try:
            given = {**common, "name": self._name, "options": options, "secrets": secrets}
            return for_kind(DestinationSettings.model_validate(given), kind)
        except ValidationError as error:
            for field, words in problems(error, common):
                self._note(field, words)
        except SettingError as error:
            self._note("", f"{error.message}; {error.hint}")
        return None

    def archive(self) -> KindSettings | None:
        """The same of the archive."""
        kind = self._kind(KINDS_OF_ARCHIVE)
        if kind is None:
            return None
        options, secrets = self._options(kind, {"type"})
        return KindSettings(name=ARCHIVE, type=self._given["type"], options=options, secrets=secrets)

    def _note(self, field: str, words: str) -> None:
        self.wrong.append(f"[{self._place}] {field}: {words}" if field else f"[{self._place}] {words}")

    def _kind(self, among: Sequence[str]) -> type[Installed] | None:
        wanted = self._given.get("type")
        if not isinstance(wanted, str) or wanted not in among:
            close = difflib.get_close_matches(str(wanted), among, n=1)
            guess = f" (did you mean {close[0]}?)" if close else ""
            if not self.wrong:
                self._note("type", f"must be one of {', '.join(among)}{guess}")
            return None
        try:
            return kinds.find(wanted)
        except SettingError as error:
            self._note("type", f"{error.message}; {error.hint}")
            return None

    def _options(
        self, kind: type[Installed], common: Collection[str]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        plain, secrets = split(kind, {f: value for f, value in self._given.items() if f not in common})
        shapes = {field: self._shape(kind, field, value) for field, value in secrets.items()}
        for field, words in check(kind.Options, plain, shapes):
            self._note(field, words)
        for field, value in plain.items():
            if isinstance(value, str) and value.startswith(MARK):
                self._note(field, "is not a secret, so nothing would decrypt it: write it as it is")
        return plain, secrets

    def _shape(self, kind: type[Installed], field: str, value: Any) -> Any:
        """Something of the shape of the secret, once it says where it is."""

        def read(one: Any) -> SecretStr:
            reference(one, f"{self._name}.{field}")
            return FILLED_IN

        try:
            return read_each(value, read, table=is_table(kind.Options, field))
        except SettingError as error:
            self._note(field, error.message)
            return FILLED_IN
