"""Plots as SVG, drawn without a library: panels with axes, lines and marks, readable in light and in dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from math import log

Point = tuple[float, float]

# Each line has a shape of its own too, for whoever does not tell colours apart.
STYLE = """\
svg{font:12px system-ui,sans-serif}
.ground{fill:#fff}.ink{fill:#1f2937}.faint{fill:#4b5563}.axis{stroke:#6b7280}.grid{stroke:#e5e7eb}
.area{fill:#e0e7ff}.ill{fill:#fef3c7}.silent{fill:#fee2e2}
.a{color:#1d4ed8}.b{color:#b45309}.c{color:#15803d}circle{fill:currentColor}
.line{fill:none;stroke:currentColor;stroke-width:2}
.b.line{stroke-dasharray:7 4}.c.line{stroke-dasharray:2 3}
@media(prefers-color-scheme:dark){
.ground{fill:#0d1117}.ink{fill:#e5e7eb}.faint{fill:#9ca3af}.grid{stroke:#263041}
.area{fill:#1e2a4a}.ill{fill:#453607}.silent{fill:#4c1518}
.a{color:#7aa2ff}.b{color:#fbbf24}.c{color:#4ade80}}"""


@dataclass(frozen=True, slots=True)
class Axis:
    """From where to where it goes, what is written along it, and its ticks."""

    low: float
    high: float
    name: str
    ticks: Sequence[float]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """How far along it a value lies, from 0 to 1."""
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            return log(value / self.low) / log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass(slots=True)
class Panel:
    """One diagram. What is drawn first lies below."""

    left: float
    top: float
    width: float
    height: float
    x: Axis
    y: Axis
    title: str
    drawn: list[str] = field(default_factory=list)

    def line(self, points: Sequence[Point], look: str) -> None:
        """Straight from point to point."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(self._at, points))
        self.drawn.append(f'<polyline class="{look} line" points="{path}"/>')

    def area(self, points: Sequence[Point], look: str = "area") -> None:
        """What is below a line."""
        (first, _), (last, _) = points[0], points[-1]
        whole = [(first, self.y.low), *points, (last, self.y.low)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(self._at, whole))
        self.drawn.append(f'<polygon class="{look}" points="{path}"/>')

    def mark(self, point: Point, look: str, said: str = "", aside: Point = (8, 4)) -> None:
        """A dot, and what it is."""
        x, y = self._at(point)
        self.drawn.append(f'<circle class="{look}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
        if said:
            self.drawn.append(words(x + aside[0], y + aside[1], said, "ink"))

    def upright(self, x: float, look: str) -> None:
        """A line at one value from below to above."""
        self.line([(x, self.y.low), (x, self.y.high)], look)

    def says(self, point: Point, said: str, look: str = "ink", anchor: str = "start") -> None:
        """Words at a place."""
        x, y = self._at(point)
        self.drawn.append(words(x, y, said, look, anchor))

    def elements(self) -> Iterator[str]:
        """All of it, the frame around it too."""
        below = self.top + self.height
        for tick in self.y.ticks:
            _, y = self._at((self.x.low, tick))
            yield f'<path class="grid" d="M{self.left:.1f} {y:.1f}h{self.width:.1f}"/>'
            yield words(self.left - 6, y + 4, f"{tick:g}", "faint", "end")
        yield from self.drawn
        frame = f"M{self.left:.1f} {self.top:.1f}V{below:.1f}h{self.width:.1f}"
        yield f'<path class="axis" fill="none" d="{frame}"/>'
        for tick in self.x.ticks:
            x, _ = self._at((tick, self.y.low))
            yield f'<path class="axis" d="M{x:.1f} {below:.1f}v4"/>'
            yield words(x, below + 17, f"{tick:g}", "faint", "middle")
        yield words(self.left + self.width, below + 33, self.x.name, "faint", "end")
        yield words(self.left - 34, self.top - 8, self.y.name, "faint")
        yield words(self.left - 34, self.top - 26, self.title, "ink", weight=' font-weight="600"')

    def _at(self, point: Point) -> Point:
        x, y = self.x.share(point[0]), self.y.share(point[1])
        return self.left + x * self.width, self.top + (1.0 - y) * self.height


def steps(points: Sequence[Point]) -> list[Point]:
    """Each value holds until the next point."""
    held = [(x, y) for (x, _), (_, y) in zip(points[1:], points, strict=False)]
    return [point for pair in zip(points, held, strict=False) for point in pair] + [points[-1]]


def picture(
    width: int, height: int, panels: Sequence[Panel], legend: Sequence[tuple[str, str]], title: str, told: str
) -> str:
    """A whole SVG with a legend below. `told` is what it shows, for whoever does not see it."""
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title told">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="told">{escape(told)}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{width}" height="{height}" rx="6"/>',
    ]
    for panel in panels:
        parts += panel.elements()
    at = 20.0
    for look, said in legend:
        parts.append(f'<path class="{look} line" d="M{at:.1f} {height - 18}h26"/>')
        parts.append(words(at + 32, height - 14, said, "ink"))
        at += 56 + 6.6 * len(said)
    return "\n".join([*parts, "</svg>"])


def words(x: float, y: float, said: str, look: str, anchor: str = "start", weight: str = "") -> str:
    """Words at a place."""
    where = f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text class="{look}" {where} text-anchor="{anchor}"{weight}>{escape(said)}</text>'
