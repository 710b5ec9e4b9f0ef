"""JSON and files as people and programs give them on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orchestrator.errors import RequestError

DEEPEST = 64  # levels of objects and lists; beyond several hundred Python cannot copy or print them


def value_or_word(text: str, option: str) -> Any:
    """The JSON value, or the text itself when it is no JSON. Raises RequestError for JSON beyond limits."""
    try:
        return _value(text, option)
    except json.JSONDecodeError:
        return text


def json_object(text: str, option: str) -> dict[str, Any]:
    """A JSON object. Raises RequestError."""
    try:
        value = _value(text, option)
    except json.JSONDecodeError as error:
        raise RequestError(f"{option} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise RequestError(f"{option} is not a JSON object")
    return value


def require_shallow(value: Any, option: str) -> None:
    """Raise RequestError for what is nested deeper than anything that is meant so."""
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return
    raise _too_deep(option)


def lines_of(path: str) -> list[str]:
    """The lines of a text file. Raises RequestError."""
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:  # also a name with a NUL in it, and bytes that are no UTF-8
        raise RequestError(f"{path} cannot be read: {error}", hint="name a text file in UTF-8") from error


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _value(text: str, option: str) -> Any:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise _too_deep(option) from None
    except ValueError as error:  # Python reads no integer of thousands of digits
        raise RequestError(
            f"{option} has a number that is too long to be read",
            hint="put it in quotes if it is meant as text",
        ) from error
    require_shallow(value, option)
    return value


def _too_deep(option: str) -> RequestError:
    return RequestError(
        f"{option} is nested deeper than {DEEPEST} levels",
        hint="flatten it, or keep it elsewhere and name it",
    )
