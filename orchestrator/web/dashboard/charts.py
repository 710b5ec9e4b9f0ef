"""Small charts as SVG, drawn here: nothing is fetched, and nothing is styled that stands in a page.

Each has a name and says in words what it shows; the numbers stand in a table beside it, for everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 640.0, 150.0
LEFT, BOTTOM, TOP = 44.0, 20.0, 10.0  # room for what stands beside the axes
_GAP = 0.25  # of a bar's place

_FRAME = Markup(
    '<svg class="chart" viewBox="0 0 {w:.0f} {h:.0f}" role="img" aria-label="{title}">{parts}</svg>'
)
_BAR = Markup('<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="1"/>')
_LINE = Markup('<polyline class="{kind}" points="{points}"/>')
_AXIS = Markup('<line class="axis" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')
_TEXT = Markup('<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>')


@dataclass(frozen=True, slots=True)
class Place:
    """What stands at one place of the lower axis, and its values: of one series, or of two."""

    name: str
    values: tuple[float, ...]


def bars(title: str, places: Sequence[Place]) -> Markup:
    """One bar for each place, of its first value."""
    top = _nice(max((one.values[0] for one in places), default=0.0))
    each = (WIDTH - LEFT) / max(len(places), 1)
    parts = list(_axes(places, top, each))
    for number, one in enumerate(places):
        height = _height(one.values[0], top)
        x, y = LEFT + each * (number + _GAP / 2), HEIGHT - BOTTOM - height
        parts.append(_BAR.format(x=x, y=y, w=each * (1 - _GAP), h=height))
    return _framed(title, parts)


def lines(title: str, places: Sequence[Place]) -> Markup:
    """A line for each series, of which the second is dashed."""
    top = _nice(max((value for one in places for value in one.values), default=0.0))
    each = (WIDTH - LEFT) / max(len(places), 1)
    parts = list(_axes(places, top, each))
    for series, kind in enumerate(("line", "line other")):
        points = [
            f"{LEFT + each * (number + 0.5):.1f},{HEIGHT - BOTTOM - _height(one.values[series], top):.1f}"
            for number, one in enumerate(places)
        ]
        parts.append(_LINE.format(kind=kind, points=" ".join(points)))
    return _framed(title, parts)


def share(title: str, part: float, whole: float) -> Markup:
    """A bar that is filled as far as the part is of the whole."""
    filled = 0.0 if whole <= 0 else min(max(part / whole, 0.0), 1.0)
    return Markup(
        '<svg class="share" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="rest" width="100" height="6"/><rect class="bar" width="{:.2f}" height="6"/></svg>'
    ).format(title, 100 * filled)


def _framed(title: str, parts: Iterable[Markup]) -> Markup:
    return _FRAME.format(w=WIDTH, h=HEIGHT, title=title, parts=Markup("").join(parts))


def _axes(places: Sequence[Place], top: float, each: float) -> Iterable[Markup]:
    for value in (0.0, top / 2, top):
        y = HEIGHT - BOTTOM - _height(value, top)
        yield _AXIS.format(x1=LEFT, y1=y, x2=WIDTH, y2=y)
        yield _TEXT.format(x=LEFT - 6, y=y + 4, anchor="end", text=_short(value))
    for number in sorted({0, len(places) // 2, len(places) - 1}) if places else ():
        x = LEFT + each * (number + 0.5)
        anchor = "start" if number == 0 else "end" if number == len(places) - 1 else "middle"
        yield _TEXT.format(x=x, y=HEIGHT - 5, anchor=anchor, text=places[number].name)


def _height(value: float, top: float) -> float:
    return (HEIGHT - BOTTOM - TOP) * max(value, 0.0) / top


def _nice(most: float) -> float:
    """A round number that is not below it, so that the axis is easy to read."""
    size = 1.0
    while size * 10 <= most:
        size *= 10
    return next((size * one for one in (2, 4, 6, 8, 10) if size * one >= most), 10 * size)


def _short(value: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
