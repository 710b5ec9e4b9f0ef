"""What the reference page of destinations holds: what is said of each, and the options of our kinds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from orchestrator.engine.destination_settings import DestinationSettings, KindSettings
from orchestrator.sinks import kinds

Table = Callable[[tuple[str, ...], Iterable[tuple[str, ...]]], str]
_HEADING = ("option", "type", "default", "meaning")
_WORDS: Mapping[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    SecretStr: "secret",
}
_INTRO = (
    "How to add one, and how to give a secret: "
    "[Add a destination](../how-to/add-a-destination.md). A kind of your own: "
    "[Write a sink](../how-to/write-a-sink.md)."
)


def parts(table: Table) -> Iterator[str]:
    """The page, part by part."""
    yield _INTRO
    yield "## Every destination"
    yield "These go with every kind, beside `type` and the options of the kind:"
    yield table(_HEADING, _rows(DestinationSettings, leave_out=KindSettings.model_fields))
    for name in ours():
        kind = kinds.find(name)
        yield f"## `{name}`"
        yield inspect.cleandoc(kind.Options.__doc__ or "")
        takes = "Takes files." if kind.takes_files else "Takes no files: it gets links to them."
        yield takes
        yield table(_HEADING, _rows(kind.Options))


def ours() -> list[str]:
    """The kinds of this project, whatever else is installed."""
    found = [one for one in kinds.installed() if one.value.startswith("orchestrator.")]
    return sorted({one.name for one in found if find_spec(one.module) is not None})


def _rows(options: type[BaseModel], leave_out: Iterable[str] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in options.model_fields.items():
        if name not in leave_out:
            yield f"`{name}`", type_in_words(field.annotation), _default(field), field.description or ""


def type_in_words(hint: Any) -> str:
    """What may be given, for a person."""
    origin, inner = get_origin(hint), [one for one in get_args(hint) if one not in (NoneType, Ellipsis)]
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in inner)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(type_in_words(one) for one in inner))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"table of {type_in_words(inner[-1])}"
    if origin in (tuple, list, set, frozenset):
        return f"list of {type_in_words(inner[0])}"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ", ".join(f"`{member.value}`" for member in hint)
    return _WORDS.get(hint, "text")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if (
        value is None
        or value in ("", (), [], {})
        or (isinstance(value, tuple) and isinstance(value[0], Enum))
    ):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
