"""Which kinds of destinations there are: those that installed packages name as entry points of one group."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import UnionType
from typing import Any, ClassVar, Protocol, Union, cast, get_args, get_origin

from pydantic import BaseModel, SecretStr

from orchestrator.errors import SettingError
from orchestrator.sinks.base import Kind, SinkOptions

GROUP = "orchestrator.sinks"
# Words of our own in the table of a destination; no kind may have an option of such a name.
COMMON = frozenset({"name", "type", "outcomes", "deliver", "default", "at_once", "tenants"})


class Installed(Kind, Protocol):
    """A kind that can be used, and whether it takes files."""

    takes_files: ClassVar[bool]


@cache
def installed() -> tuple[EntryPoint, ...]:
    """What packages name, loaded or not; read once, since that opens a file of every package there is."""
    return tuple(entry_points(group=GROUP))


def names() -> list[str]:
    """The kinds that can be asked for."""
    return sorted({one.name for one in installed()})


def find(name: str) -> type[Installed]:
    """The kind of this name. Raises SettingError where there is none, or none that works."""
    offered = {one.value: one for one in installed() if one.name == name}
    if not offered:
        raise SettingError(f"there is no kind {name!r} of destination", hint=_instead(name))
    if len(offered) > 1:
        raise SettingError(
            f"several packages have a kind {name!r} of destination: {', '.join(sorted(offered))}",
            hint="uninstall all but one of them",
        )
    return _checked(name, _loaded(*offered.values()))


def secret_fields(options: type[SinkOptions]) -> frozenset[str]:
    """The options whose values are secrets, alone or in a list or a table."""
    fields = options.model_fields.items()
    return frozenset(name for name, field in fields if _holds_secrets(field.annotation))


def is_table(options: type[SinkOptions], name: str) -> bool:
    """Whether this option has names for its values, as headers have."""
    return _is_a(options, name, Mapping)


def is_list(options: type[SinkOptions], name: str) -> bool:
    """Whether this option has several values."""
    return _is_a(options, name, (tuple, list, set, frozenset))


def _is_a(options: type[SinkOptions], name: str, classes: Any) -> bool:
    field = options.model_fields.get(name)
    there = _classes(field.annotation) if field else ()
    return any(isinstance(one, type) and issubclass(one, classes) for one in there)


def _instead(name: str) -> str:
    close = difflib.get_close_matches(name, names(), n=1)
    guess = f"did you mean {close[0]}? " if close else ""
    return f"{guess}there are {', '.join(names())}; a package with another kind must be installed here"


def _loaded(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:  # whatever somebody's module does when it is imported
        raise SettingError(
            f"the kind {entry.name!r} of destination cannot be loaded: {type(error).__name__}: {error}",
            hint=f"install the package of {entry.value} again, with its dependencies",
        ) from error


def _checked(name: str, kind: Any) -> type[Installed]:
    options = getattr(kind, "Options", None)
    if not (isinstance(options, type) and issubclass(options, SinkOptions)):
        raise _no_kind(name, "`Options` is not a subclass of SinkOptions")
    if not isinstance(getattr(kind, "takes_files", None), bool) or not callable(getattr(kind, "build", None)):
        raise _no_kind(name, "it has no `takes_files`, or no `build`")
    if taken := COMMON & options.model_fields.keys():
        raise _no_kind(name, f"its option {min(taken)!r} means something else for every destination")
    return cast("type[Installed]", kind)


def _no_kind(name: str, why: str) -> SettingError:
    return SettingError(
        f"what is installed as the kind {name!r} cannot be a destination: {why}",
        hint="report it to the author of that package; docs/how-to/write-a-sink.md shows what it should "
        "look like",
    )


def _holds_secrets(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return any(_holds_secrets(field.annotation) for field in hint.model_fields.values())
    return hint is SecretStr or any(_holds_secrets(one) for one in get_args(hint))


def _classes(hint: Any) -> Iterator[Any]:
    """What a value may be of: those of a union, without what is inside of them."""
    if get_origin(hint) in (Union, UnionType):
        for one in get_args(hint):
            yield from _classes(one)
    else:
        yield get_origin(hint) or hint
