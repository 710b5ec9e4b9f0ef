"""JSON from strangers, read so that it means one thing only and can be kept and handed on. Pure."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

DEEPEST = 64  # levels of objects and lists; beyond several hundred Python cannot copy or print them
LARGEST = 2**64  # what others read as an integer is smaller


class NotJson(ValueError):
    """It is no JSON that we take; the message says why."""


def loads(body: bytes) -> Any:
    """The value. Raises NotJson."""
    try:
        value = json.loads(
            body.decode(), object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite
        )
    except NotJson:
        raise
    except UnicodeDecodeError as error:
        raise NotJson(f"the body is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise NotJson(f"the body is no JSON: {error.msg} at character {error.pos}") from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:  # Python reads no integer of thousands of digits
        raise NotJson("a number has too many digits; as text, in quotes, it may have them") from error
    _check(value)
    return value


def _check(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        for one in level:
            _check_plain(one)
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return
    raise _too_deep()


def _check_plain(value: Any) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for key in value:
            _check_text(key)
    elif isinstance(value, int) and abs(value) >= LARGEST:
        raise NotJson("a number has too many digits; as text, in quotes, it may have them")


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise NotJson("a text has a NUL character: databases keep none")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise NotJson("a text has half of a surrogate pair, which no UTF-8 has") from error


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(key for key, _ in pairs)  # one look at each: strangers send a million
        twice = next(key for key, times in counted.items() if times > 1)
        raise NotJson(f"an object has the key {twice[:40]!r} twice")
    return found


def _no_constant(word: str) -> Any:
    raise NotJson(f"{word} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise NotJson("a number is larger than any that can be kept")
    return number


def _too_deep() -> NotJson:
    return NotJson(f"it is nested deeper than {DEEPEST} levels")
