"""Spans of time as people write them."""

from __future__ import annotations

import re

import typer

_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_SPAN = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smhd])")


def seconds(span: str) -> float:
    """Such as 30m, 6h or 2.5d, in seconds. Raises BadParameter."""
    found = _SPAN.fullmatch(span.strip())
    if found is None:
        raise typer.BadParameter(f"{span!r} is not a span of time; write it as 30m, 6h or 2d")
    return float(found[1]) * _UNITS[found[2]]
