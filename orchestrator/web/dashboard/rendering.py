"""Templates, and how moments, spans and sizes are written on a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

_PACKAGE = "orchestrator.web.dashboard"
_UNITS = ("kB", "MB", "GB")
_SPANS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def render(template: str, facts: Mapping[str, Any]) -> str:
    """One page. Whatever comes from a row is escaped."""
    return _environment().get_template(template).render(facts)


def static(name: str) -> bytes:
    """One of our own files. Raises FileNotFoundError."""
    return files(_PACKAGE).joinpath("static", name).read_bytes()


@cache
def version_of(name: str) -> str:
    """Changes with the file: a browser may keep each version for ever."""
    return sha256(static(name)).hexdigest()[:12]


def moment(seconds: float | None) -> Markup | str:
    """A moment in UTC, for people and for programs."""
    if seconds is None:
        return ""
    at = datetime.fromtimestamp(seconds, UTC)
    return Markup(
        '<time datetime="{}"><span>{}</span> <span>{}<span class="utc"> UTC</span></span></time>'
    ).format(at.isoformat(timespec="milliseconds"), at.strftime("%Y-%m-%d"), at.strftime("%H:%M:%S"))


def span(seconds: float | None) -> str:
    """A duration in its two largest units, such as `3 min 20 s`; below ten seconds with tenths."""
    if seconds is None:
        return ""
    if abs(seconds) < 10:
        return f"{seconds:.1f} s"
    left, parts = round(abs(seconds)), []
    for unit, size in _SPANS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return ("-" if seconds < 0 else "") + " ".join(parts[:2])


def size(count: int | None) -> str:
    """Bytes, such as `1.4 MB`."""
    if count is None:
        return ""
    if count < 1_000:
        return f"{count} bytes"
    power = min((len(str(count)) - 1) // 3, len(_UNITS))
    return f"{count / 1_000**power:.1f} {_UNITS[power - 1]}"


def money(dollars: float | None) -> str:
    """What was billed; four digits, since a video may cost cents."""
    return "" if dollars is None else f"${dollars:,.4f}"


def number(count: float) -> str:
    """A whole number with its thousands set apart."""
    return f"{count:,.0f}"


def counted(count: Any) -> str:
    """What was counted up to a bound."""
    return f"more than {count.many:,}" if count.more else f"{count.many:,}"


def sentence(words: str) -> str:
    """What somebody said as a sentence: it begins large, and ends with one stop, its own if it has one."""
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?", "…")) else ".")


def with_code(words: str) -> Markup:
    """Words in which commands stand between backticks."""
    parts = words.split("`")
    if len(parts) % 2 == 0:  # one backtick is alone: it begins nothing
        return escape(words)
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(one) if number % 2 else one for number, one in enumerate(parts))


def plainly(word: str) -> str:
    """A word of ours as people write it."""
    return word.replace("_", " ")


def as_words(value: Any) -> str:
    """A value of a setting, which may be several."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(as_words(one) for one in value)
    return str(value)


def as_json(value: Any, longest: int) -> str:
    """A document as people read it, cut where it would be too long."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= longest else f"{text[:longest]} …"


_FILTERS: tuple[Callable[..., Markup | str], ...] = (
    moment,
    span,
    size,
    money,
    number,
    counted,
    sentence,
    with_code,
    plainly,
    as_words,
    as_json,
)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,  # an upgrade may write new ones below a process that has the old code
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {one.__name__: one for one in _FILTERS} | {"unquoted": unquote}
    made.globals["version_of"] = version_of
    return made
