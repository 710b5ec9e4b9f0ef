"""`--option` and `--secret` of a destination, as people give them, made into what its kind wants."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from orchestrator.cli.given import value_or_word
from orchestrator.core.redaction import Redactor
from orchestrator.engine.destination_settings import check, texts
from orchestrator.engine.secret_sources import from_environment, from_file, without_line_end
from orchestrator.errors import RequestError, SettingError
from orchestrator.sinks import SinkOptions, kinds
from orchestrator.sinks.kinds import Installed
from orchestrator.sinks.when_needed import redacted

WAYS = "env:NAME, file:PATH or - (standard input)"


def plain_options(kind: type[Installed], arguments: Iterable[str]) -> dict[str, list[Any]]:
    """For each option the values that may be meant: as JSON or as text."""
    texts: dict[str, list[str]] = defaultdict(list)
    secret = kinds.secret_fields(kind.Options)
    for one in arguments:
        name, value = _pair(one, "--option")
        if name in secret:
            raise RequestError(
                f"{name} is a secret: as an argument it would be in the shell's history and in every list of "
                "processes",
                hint=f"give --secret {name}=… with {WAYS}",
            )
        texts[name].append(value)
    return {name: _meant(name, given, kinds.is_list(kind.Options, name)) for name, given in texts.items()}


def secret_options(
    kind: type[Installed], given: Sequence[str], environment: Mapping[str, str]
) -> dict[str, list[Any]]:
    """The same of secrets, read from where they are said to be. Raises RequestError and SettingError."""
    if sum(one.endswith("=-") for one in given) > 1:
        raise RequestError("standard input holds one secret", hint="give the others by env:NAME or file:PATH")
    lists: dict[str, list[SecretStr]] = defaultdict(list)
    tables: dict[str, dict[str, SecretStr]] = defaultdict(dict)
    secret = kinds.secret_fields(kind.Options)
    for one in given:
        place, source = _pair(one, "--secret")
        name, _, inner = place.partition(".")
        if name not in secret:
            there = ", ".join(sorted(secret)) or "none"
            raise RequestError(f"{name} is not a secret option of this kind", hint=f"there are: {there}")
        value = SecretStr(_read(place, source, environment))
        if kinds.is_table(kind.Options, name):
            tables[name][inner] = value
        else:
            lists[name].append(value)
    several = {name for name in lists if len(lists[name]) > 1 or kinds.is_list(kind.Options, name)}
    alone = {name: [values if name in several else values[0]] for name, values in lists.items()}
    return {**alone, **{name: [values] for name, values in tables.items()}}


def fitted(options: type[SinkOptions], meant: Mapping[str, list[Any]]) -> dict[str, Any]:
    """The first meaning of each that its kind takes. Raises SettingError naming what it does not take."""
    secret = kinds.secret_fields(options)
    redactor = Redactor(text for name in secret for text in texts(meant.get(name)))

    def wrong(given: Mapping[str, Any]) -> dict[str, str]:
        return dict(redacted(redactor, "to be added", lambda: check(options, given, {})))

    given = {name: values[0] for name, values in meant.items()}
    for name in {place.partition(".")[0] for place in wrong(given)} & meant.keys():
        fitting = (one for one in meant[name][1:] if not _concerns(name, wrong({**given, name: one})))
        given[name] = next(fitting, given[name])
    if found := wrong(given):
        said = "; ".join(f"{place}: {words}" if place else words for place, words in found.items())
        hint = "docs/reference/destinations.md has the options of every kind"
        raise SettingError(redactor.text(said), hint=hint)
    return given


def _concerns(name: str, wrong: Iterable[str]) -> bool:
    return any(place.partition(".")[0] == name for place in wrong)


def _meant(name: str, texts: list[str], wants_list: bool) -> list[Any]:
    read = [value_or_word(one, f"--option {name}") for one in texts]
    if len(texts) == 1 and (not wants_list or isinstance(read[0], list)):
        return [read[0], texts[0]]
    return [read, texts]


def _read(place: str, source: str, environment: Mapping[str, str]) -> str:
    how, _, where = source.partition(":")
    try:
        if source == "-":
            return read_secret(f"{place}: ")
        if how == "env" and where:
            return from_environment(environment, where)
        if how == "file" and where:
            return from_file(where)
    except SettingError as error:
        raise SettingError(f"{place}: {error.message}", hint=error.hint) from None
    raise RequestError(
        f"--secret {place}=… does not say where the secret is", hint=f"give {WAYS}; never the secret itself"
    )


def read_secret(prompt: str) -> str:
    """One secret from standard input: asked for without showing it, where a person sits there."""
    import typer

    if sys.stdin.isatty():
        return str(typer.prompt(prompt.rstrip(": "), hide_input=True, err=True))
    try:
        found = without_line_end(sys.stdin.read())
    except UnicodeDecodeError:
        raise RequestError("standard input is not text in UTF-8", hint="give the secret as text") from None
    if not found.strip():
        raise RequestError("standard input holds no secret", hint="pipe it in, or type it on a terminal")
    return found


def _pair(text: str, option: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not (found and name):
        raise RequestError(f"{option} is not given as NAME=VALUE", hint=f"such as {option} name=value")
    return name, value
