"""Distributions of durations as a person writes them, brought onto the grid.

In seconds: `lognormal:60:0.5` is a median and the deviation of the logarithm, `normal:90:8` or `90±8` a mean
and a deviation; `uniform:0:300`, `exactly:90`, `mix:0.5*normal:40:4+0.5*normal:240:24`; and `file:PATH` has
one duration a line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import NormalDist

import numpy as np

from orchestrator.core.learned.density import Floats
from orchestrator.core.learned.grid import BEYOND, BINS, EDGES, bin_of
from orchestrator.errors import RequestError

MOST_BEYOND = 0.5  # of the jobs may take longer than anything that is planned for
MOST_WEIGHT = 1e9
SHOWN = 100  # characters of what was given, in an error
Reader = Callable[[str], Iterable[str]]

EXAMPLES = (
    "lognormal:60:0.5 (median, sigma), normal:90:8 or 90±8 (mean, deviation), uniform:0:300, exactly:90, "
    "mix:0.5*normal:40:4+0.5*normal:240:24, file:durations.txt (one a line)"
)
_HINT = f"durations are in seconds, as in {EXAMPLES}"
_NEXT_PART = re.compile(r"\+(?=[^+*]*\*)")
_PLUS_MINUS = ("±", "+-", "+/-")


def shape_of(text: str, read: Reader | None = None) -> Floats:
    """The probability of each bin, and at the end of what is beyond all of them.

    `read` gives the lines of a named file; without one files are refused. RequestError: what is wrong.
    """
    shape = _shape_of(text, read)
    if not shape[BEYOND] <= MOST_BEYOND:
        raise _wrong(text, "most of it is longer than two days, and no job is followed for so long")
    return shape


def of_durations(durations: Sequence[float]) -> Floats:
    """Each of these as likely as the others."""
    found = np.zeros(BINS + 1)
    for seconds in durations:
        found[bin_of(seconds)] += 1.0
    return np.asarray(found / len(durations))


def mean_of(shape: Floats) -> float:
    """The mean in seconds, of what is on the grid."""
    edges = np.array(EDGES)
    inside = shape[:BINS]
    return float((inside * (edges[:-1] + edges[1:]) / 2).sum() / max(inside.sum(), 1e-300))


def _shape_of(text: str, read: Reader | None) -> Floats:
    kind, apart, rest = text.strip().partition(":")
    kind = kind.strip().lower()
    if not apart:
        return _plain(kind)
    if kind == "mix":
        return _mixed(rest, read)
    if kind == "file":
        return _from_file(rest.strip(), read)
    if kind not in _SHAPES:
        raise _wrong(text, f"`{kind}` is no shape")
    names, make = _SHAPES[kind]
    return make(*_numbers(text, rest, names))


def _plain(text: str) -> Floats:
    """`90±8`, or just `90`."""
    for sign in _PLUS_MINUS:
        if sign in text:
            mean, deviation = _numbers(text, text.replace(sign, ":", 1), ("mean", "deviation"))
            return _normal(mean, deviation)
    return _exactly(*_numbers(text, text, ("duration",)))


def _numbers(whole: str, text: str, names: Sequence[str]) -> list[float]:
    given = text.split(":")
    if len(given) != len(names):
        raise _wrong(whole, f"it takes {' and '.join(names)}, and was given {len(given)}")
    return [_number(whole, one, name) for one, name in zip(given, names, strict=True)]


def _number(whole: str, text: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise _wrong(whole, f"its {name} is `{text.strip()}`, which is no number") from None
    if not math.isfinite(number) or number < 0:
        raise _wrong(whole, f"its {name} is {text.strip()}, which is no duration")
    return number


def _binned(below: Callable[[float], float]) -> Floats:
    """From the share below a moment. What would be before zero is left out."""
    at_zero = below(0.0)
    shares = [(below(edge) - at_zero) / (1.0 - at_zero) for edge in EDGES]
    return np.append(np.maximum(np.diff(shares), 0.0), 1.0 - shares[-1])


def _lognormal(median: float, sigma: float) -> Floats:
    _above_zero("lognormal", median=median, sigma=sigma)
    normal = NormalDist(math.log(median), sigma)
    return _binned(lambda age: normal.cdf(math.log(age)) if age > 0 else 0.0)


def _normal(mean: float, deviation: float) -> Floats:
    _above_zero("normal", mean=mean)
    return _binned(NormalDist(mean, deviation).cdf) if deviation > 0 else _exactly(mean)


def _uniform(low: float, high: float) -> Floats:
    if high <= low:
        raise _wrong(f"uniform:{low:g}:{high:g}", "it ends before it begins")
    return _binned(lambda age: min(max((age - low) / (high - low), 0.0), 1.0))


def _exactly(seconds: float) -> Floats:
    return of_durations([seconds])


_SHAPES: Mapping[str, tuple[tuple[str, ...], Callable[..., Floats]]] = {
    "lognormal": (("median", "sigma"), _lognormal),
    "normal": (("mean", "deviation"), _normal),
    "uniform": (("first", "last"), _uniform),
    "exactly": (("duration",), _exactly),
}


def _mixed(text: str, read: Reader | None) -> Floats:
    found, whole = np.zeros(BINS + 1), 0.0
    for part in _NEXT_PART.split(text):
        weight, apart, shape = part.partition("*")
        if not apart:
            raise _wrong(f"mix:{text}", f"`{part.strip()}` has no weight, as in 0.5*normal:90:8")
        if shape.strip().lower().startswith("mix:"):
            raise _wrong(f"mix:{text}", "a mix is not mixed again")
        heavy = _number(f"mix:{text}", weight, "weight")
        found, whole = found + heavy * _shape_of(shape, read), whole + heavy
    if not 0 < whole <= MOST_WEIGHT:
        raise _wrong(f"mix:{text}", f"its weights are {whole:g} together")
    return np.asarray(found / whole)


def _from_file(path: str, read: Reader | None) -> Floats:
    if read is None:
        raise _wrong(f"file:{path}", "no file is read here")
    lines = [line.split("#")[0].strip() for line in read(path)]
    durations = [
        _number(f"file:{path}", line, f"line {number}") for number, line in enumerate(lines, 1) if line
    ]
    if not durations:
        raise _wrong(f"file:{path}", "it has no duration in it")
    return of_durations(durations)


def _above_zero(shape: str, **given: float) -> None:
    for name, value in given.items():
        if value <= 0:
            raise _wrong(shape, f"its {name} must be more than 0")


def _wrong(text: str, detail: str) -> RequestError:
    named = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
    return RequestError(f"`{named}` is no distribution of durations: {detail}", hint=_HINT)
