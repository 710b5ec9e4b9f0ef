"""Reads values of any type out of JSON that somebody else wrote. Nothing in here raises on odd types.

`decode` also takes away what JSON can carry and a database cannot: NaN and infinities become null,
NUL characters and lone surrogates become replacement characters.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

RAW_LIMIT = 64 * 1024  # characters of a payload that are kept
CUT = " …[cut]"

# What is kept of words, in characters; the columns of the store are as wide.
STATUS = 64
PROVIDER = EVENT_TYPE = MIME_TYPE = 100
REQUEST_ID = SESSION_ID = 128
WORD = 200

# Moments that are believed, in epoch seconds: from 2001 to 2286. Milliseconds, for one, are beyond.
_FIRST_MOMENT, _LAST_MOMENT = 1e9, 1e10
_DEEPEST = 64
_DIGITS_OF_64_BITS = 18
_GATEWAY_ID = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")  # not after an escaped backslash
_UNSTORABLE = re.compile(r"\\u(0000|[dD][89a-fA-F])")


class Unreadable(ValueError):
    """Not JSON, not UTF-8, or nested too deeply."""


def decode(body: bytes) -> Any:
    """The JSON value of a body. Raises Unreadable, and nothing else, whatever the bytes are."""
    try:
        text = body.decode()
        value = _loads(text)
        # A text that opens so few cannot be deeper, and need not be walked through.
        if text.count("{") + text.count("[") > _DEEPEST and not _shallow(value, _DEEPEST):
            raise Unreadable("nested too deeply")
        return _storable(value) if _UNSTORABLE.search(text) else value
    except (ValueError, RecursionError) as exc:
        raise Unreadable(type(exc).__name__) from exc


def _shallow(value: Any, left: int) -> bool:
    """Whether whatever reads or writes this value later will be spared a RecursionError."""
    if not isinstance(value, dict | list):
        return True
    inside = value.values() if isinstance(value, dict) else value
    return left > 0 and all(_shallow(item, left - 1) for item in inside)


def _loads(text: str) -> Any:
    return _DECODER.decode(text)


def _storable(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False).encode(errors="replace").decode()
    return _loads(_NUL.sub(r"\1\\ufffd", text))


def _integer(digits: str) -> int | float | None:
    """An int of 64 bits at most: Python refuses to read thousands of digits, and databases far fewer."""
    return int(digits) if len(digits) <= _DIGITS_OF_64_BITS else _finite(digits)


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _no_constant(name: str) -> None:
    return None


# Made once: `json.loads` makes one for each call that is given such functions.
_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_finite, parse_constant=_no_constant)


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def word(value: Any, limit: int = WORD) -> str | None:
    """A non-empty string, cut at `limit` characters; a number as its digits; anything else is None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return str(value)[:limit]
    return value[:limit] if isinstance(value, str) and value.strip() else None


def first_word(data: Mapping[str, Any], *keys: str, limit: int = WORD) -> str | None:
    """The first of these keys that holds a word."""
    return next((found for key in keys if (found := word(data.get(key), limit)) is not None), None)


def number(value: Any) -> float | None:
    """A finite number, also when written as a string; anything else, true and false too, is None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def moment(value: Any) -> float | None:
    """A time in epoch seconds, given as such or in ISO 8601, which without a zone is in UTC."""
    found = number(value)
    if found is None and isinstance(value, str):
        try:
            read = datetime.fromisoformat(value.strip())
            found = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return None
    return found if found is not None and _FIRST_MOMENT <= found < _LAST_MOMENT else None


def index(value: Any) -> int | None:
    """A whole number from 0 up, of 31 bits."""
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    return value if whole else None


def size(value: Any) -> int | None:
    """A whole number from 0 up, of 63 bits."""
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return value if whole else None


def gateway_id(value: Any) -> str | None:
    """The value if it can be the id of a job: it is put into URLs, and a webhook may carry any string."""
    return value if isinstance(value, str) and _GATEWAY_ID.match(value) else None


def printed(value: Any) -> str:
    """A JSON value as compact text, cut at 64 KiB."""
    return kept(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))


def kept(text: str) -> str:
    """The text as it is kept: cut at 64 KiB, without what a database refuses."""
    clean = text.replace("\x00", "\ufffd").encode(errors="replace").decode()
    return clean if len(clean) <= RAW_LIMIT else clean[:RAW_LIMIT] + CUT
