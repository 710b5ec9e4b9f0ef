"""Destinations made from what is said about them: kinds found, secrets read, options checked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast

from pydantic import ValidationError

from orchestrator.core.redaction import Redactor
from orchestrator.engine.catalogue import IN_DATABASE, IN_FILE, Destination
from orchestrator.engine.destination_settings import (
    DestinationSettings,
    KindSettings,
    legible_options,
    problems,
    texts,
)
from orchestrator.engine.secret_sources import SecretSources
from orchestrator.errors import DestinationError, SettingError
from orchestrator.sinks import Sink, SinkOptions, Tools, kinds
from orchestrator.sinks.when_needed import Built, SinkWhenNeeded, redacted
from orchestrator.store.configured import Entry


@dataclass(frozen=True, slots=True)
class Builder:
    """Makes destinations. What can be wrong with one shows when it is used, and harms no other."""

    secrets: SecretSources
    tools: Tools

    def destination(self, settings: DestinationSettings) -> Destination:
        """What is said of it; its sink is made when it is first used."""
        return Destination(
            settings.name,
            _when_needed(settings.name, _takes_files(settings), lambda: self.build(settings)),
            outcomes=settings.outcomes,
            link=settings.link,
            default=settings.default,
            at_once=settings.at_once,
            tenants=settings.tenants,
            kind=settings.type,
            source=IN_FILE,
            options=legible_options(settings),
        )

    def added(self, entry: Entry) -> Destination:
        """What the database says of it. One that cannot be read is there too: what goes there waits."""
        try:
            return replace(self.destination(settings_of(entry)), source=IN_DATABASE)
        except SettingError as error:
            return Destination(
                entry.name,
                _broken(entry.name, error),
                link=True,
                kind=entry.kind,
                source=IN_DATABASE,
                options={"problem": error.message},
            )

    def build(self, settings: KindSettings) -> Built:
        """The sink, with its secrets. Raises SettingError, without any of them."""
        options, redactor = self.options(settings)
        kind = kinds.find(settings.type)
        try:
            sink = redacted(redactor, settings.name, lambda: kind.build(options, self.tools))
        except SettingError as error:
            raise _named(settings.name, error) from None
        return Built(sink, redactor)

    def prove(self, settings: KindSettings) -> None:
        """Build it once, and let it go. Raises SettingError where that cannot be."""
        built = self.build(settings)
        with suppress(DestinationError):
            redacted(built.redactor, settings.name, built.sink.close)

    def options(self, settings: KindSettings) -> tuple[SinkOptions, Redactor]:
        """What its kind is told, and what may not be seen of that. Raises SettingError, without secrets."""
        kind = kinds.find(settings.type)
        try:
            secrets = self.secrets.of(settings, kind)
        except SettingError as error:
            raise _named(settings.name, error) from None
        redactor = Redactor(texts(secrets))
        given = {**settings.options, **secrets}
        found = redacted(redactor, settings.name, lambda: _validated(kind.Options, given))
        if isinstance(found, SinkOptions):
            return found, redactor
        raise SettingError(
            f"destination {settings.name}: {redactor.text('; '.join(found))}",
            hint=f"docs/reference/destinations.md has the options of the kind {settings.type}",
        )


def settings_of(entry: Entry) -> DestinationSettings:
    """What the database says of a destination. Raises SettingError where this version cannot read it."""
    said = dict(entry.settings)
    secrets = dict.fromkeys(said.pop("secrets", ()))
    more = {"name": entry.name, "type": entry.kind, "secrets": secrets, "sealed": entry.secrets}
    try:
        settings = DestinationSettings.model_validate({**said, **more})
    except ValidationError as error:
        fields = ", ".join(field for field, _ in problems(error, said))
        raise SettingError(
            f"destination {entry.name}: the database has something else than expected of it: {fields}",
            hint="remove it and add it again, or use the version that added it",
        ) from None
    return settings


def kept_of(settings: DestinationSettings) -> dict[str, Any]:
    """What the database keeps of a destination beside its kind and its sealed secrets."""
    said = settings.model_dump(mode="json", exclude={"name", "type", "secrets", "sealed"})
    return {**said, "secrets": sorted(settings.secrets)}


def _validated(options: type[SinkOptions], given: dict[str, Any]) -> SinkOptions | list[str]:
    """The options, or what is wrong with them."""
    try:
        return options.model_validate(given)
    except ValidationError as error:
        return [f"{field}: {words}" if field else words for field, words in problems(error, given)]


def _named(name: str, error: SettingError) -> SettingError:
    return SettingError(f"destination {name}: {error.message}", hint=error.hint)


def _takes_files(settings: DestinationSettings) -> bool:
    try:
        return kinds.find(settings.type).takes_files
    except SettingError:  # a package that was uninstalled: its use says so
        return not settings.link


def _broken(name: str, error: SettingError) -> Sink:
    def build() -> Built:
        raise SettingError(error.message, hint=error.hint)

    return _when_needed(name, False, build)


def _when_needed(name: str, takes_files: bool, build: Callable[[], Built]) -> Sink:
    # Of most sinks the class says whether it takes files; here the kind does.
    return cast("Sink", SinkWhenNeeded(name, takes_files=takes_files, build=build))
