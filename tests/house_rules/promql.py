"""As much of PromQL as our rules use, evaluated over series that a test makes up.

Rates are as Prometheus has them but for its guess of what lies beyond the outermost samples.
"""

import math
import operator
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import promql_parser as promql

LOOKS_BACK = 300.0  # seconds in which the latest sample of a series still counts
NAME = "__name__"

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Ranges = dict[Labels, list[tuple[float, float]]]
_COMPUTED = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
_COMPARED = {">": operator.gt, "<": operator.lt, "==": operator.eq, ">=": operator.ge, "!=": operator.ne}
_AGGREGATED: dict[str, Callable[[Iterable[float]], float]] = {"sum": sum, "max": max, "group": lambda _: 1.0}


@dataclass(slots=True)
class Series:
    """Samples by time, of every series by its labels. Not a number: it is told no more."""

    samples: Ranges = field(default_factory=lambda: defaultdict(list))

    def add(self, at: float, name: str, value: float, **labels: str) -> None:
        self.samples[_labels({NAME: name, **labels})].append((at, value))

    def instant(self, expression: str, at: float) -> Vector:
        found: Vector = _Evaluation(self, at).of(promql.parse(expression))
        return found

    def latest(self, matches: Callable[[Mapping[str, str]], bool], at: float) -> Vector:
        found = {}
        for labels, samples in self._matching(matches).items():
            seen = [(then, value) for then, value in samples if at - LOOKS_BACK < then <= at]
            if seen and not math.isnan(seen[-1][1]):
                found[labels] = seen[-1][1]
        return found

    def during(self, matches: Callable[[Mapping[str, str]], bool], at: float, seconds: float) -> Ranges:
        found = {}
        for labels, samples in self._matching(matches).items():
            seen = [one for one in samples if at - seconds < one[0] <= at and not math.isnan(one[1])]
            if seen:
                found[labels] = seen
        return found

    def _matching(self, matches: Callable[[Mapping[str, str]], bool]) -> Ranges:
        return {labels: samples for labels, samples in self.samples.items() if matches(dict(labels))}


@dataclass(frozen=True, slots=True)
class _Evaluation:
    series: Series
    at: float

    def of(self, expression: Any) -> Any:
        match expression:
            case promql.NumberLiteral():
                return expression.val
            case promql.ParenExpr():
                return self.of(expression.expr)
            case promql.VectorSelector():
                return self.series.latest(_selected(expression), self.at)
            case promql.MatrixSelector():
                seconds = expression.range.total_seconds()
                return self.series.during(_selected(expression.vector_selector), self.at, seconds)
            case promql.AggregateExpr():
                return _aggregated(expression, self.of(expression.expr))
            case promql.Call():
                return _FUNCTIONS[expression.func.name](*(self.of(one) for one in expression.args))
            case promql.BinaryExpr():
                return _binary(expression, self.of(expression.lhs), self.of(expression.rhs))
        raise NotImplementedError(type(expression))


def _selected(selector: Any) -> Callable[[Mapping[str, str]], bool]:
    asked = [(one.name, str(one.op), one.value) for one in selector.matchers.matchers]

    def matches(labels: Mapping[str, str]) -> bool:
        return labels[NAME] == selector.name and all(
            _MATCHED[op](labels.get(name, ""), value) for name, op, value in asked
        )

    return matches


_MATCHED: dict[str, Callable[[str, str], bool]] = {
    "MatchOp.Equal": operator.eq,
    "MatchOp.NotEqual": operator.ne,
    "MatchOp.Re": lambda has, pattern: re.fullmatch(pattern, has) is not None,
    "MatchOp.NotRe": lambda has, pattern: re.fullmatch(pattern, has) is None,
}


def _aggregated(expression: Any, vector: Vector) -> Vector:
    modifier = expression.modifier
    assert modifier is None or str(modifier.type).endswith("By"), "no rule says `without`"
    kept = set(modifier.labels) if modifier else set()
    groups: dict[Labels, list[float]] = defaultdict(list)
    for labels, value in vector.items():
        groups[_only(labels, kept)].append(value)
    return {labels: _AGGREGATED[str(expression.op)](values) for labels, values in groups.items()}


def _binary(expression: Any, left: Any, right: Any) -> Any:
    sign = str(expression.op)
    if isinstance(left, float | int) or isinstance(right, float | int):
        return _with_number(sign, left, right)
    modifier = expression.modifier
    many = modifier is not None and str(modifier.card).endswith("ManyToOne")
    taken = set(modifier.group_labels or ()) if many else set()
    ones: dict[Labels, tuple[Labels, float]] = {}
    for labels, value in right.items():
        key = _matched_by(labels, modifier)
        assert key not in ones, f"many of the right side match: {dict(labels)}"
        ones[key] = labels, value
    found: Vector = {}
    for labels, value in left.items():
        key = _matched_by(labels, modifier)
        if key not in ones:
            continue
        other, against = ones[key]
        told = (_unnamed(labels) if many else key) | _only(other, taken)
        assert told not in found, f"many of the left side match: {dict(labels)}"
        if sign not in _COMPARED:
            found[told] = _COMPUTED[sign](value, against)
        elif _COMPARED[sign](value, against):
            found[told] = value
    return found


def _with_number(sign: str, left: Any, right: Any) -> Any:
    if isinstance(left, dict):
        if sign in _COMPARED:
            return {labels: value for labels, value in left.items() if _COMPARED[sign](value, right)}
        return {_unnamed(labels): _COMPUTED[sign](value, right) for labels, value in left.items()}
    if isinstance(right, dict):
        assert sign in _COMPUTED, "no rule compares a number with series"
        return {_unnamed(labels): _COMPUTED[sign](left, value) for labels, value in right.items()}
    return _COMPUTED[sign](left, right)


def _matched_by(labels: Labels, modifier: Any) -> Labels:
    matching = modifier.matching if modifier is not None else None
    if matching is None:
        return _unnamed(labels)
    named = set(matching.labels)
    if str(matching.type).endswith("Include"):
        return _only(labels, named)
    return frozenset(one for one in _unnamed(labels) if one[0] not in named)


def _increase(ranges: Ranges) -> Vector:
    return {_unnamed(labels): _grown(samples) for labels, samples in ranges.items() if len(samples) > 1}


def _grown(samples: Sequence[tuple[float, float]]) -> float:
    """What begins anew was at 0 in between."""
    values = [value for _, value in samples]
    pairs = pairwise(values)
    return sum(after - before if after >= before else after for before, after in pairs)


def _rate(ranges: Ranges) -> Vector:
    spans = {_unnamed(labels): samples[-1][0] - samples[0][0] for labels, samples in ranges.items()}
    return {labels: grown / spans[labels] for labels, grown in _increase(ranges).items()}


def _changes(ranges: Ranges) -> Vector:
    def changed(samples: Sequence[tuple[float, float]]) -> float:
        return sum(one[1] != two[1] for one, two in pairwise(samples))

    return {_unnamed(labels): changed(samples) for labels, samples in ranges.items()}


def _max_over_time(ranges: Ranges) -> Vector:
    return {_unnamed(labels): max(value for _, value in samples) for labels, samples in ranges.items()}


def _absent(vector: Vector) -> Vector:
    return {} if vector else {frozenset(): 1.0}


def _histogram_quantile(share: float, buckets: Vector) -> Vector:
    of_each: dict[Labels, dict[float, float]] = defaultdict(dict)
    for labels, value in buckets.items():
        end = float(dict(labels)["le"])
        of_each[frozenset(one for one in labels if one[0] != "le")][end] = value
    found = {labels: _quantile(share, sorted(ends.items())) for labels, ends in of_each.items()}
    return {labels: value for labels, value in found.items() if not math.isnan(value)}


def _quantile(share: float, ends: Sequence[tuple[float, float]]) -> float:
    rank, low, below = share * ends[-1][1], 0.0, 0.0
    if not rank:
        return math.nan
    for end, upto in ends:
        if upto >= rank:
            return low if math.isinf(end) else low + (end - low) * (rank - below) / (upto - below)
        low, below = end, upto
    raise AssertionError("the last end is +Inf")


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "increase": _increase,
    "rate": _rate,
    "changes": _changes,
    "max_over_time": _max_over_time,
    "absent": _absent,
    "histogram_quantile": _histogram_quantile,
}


def _labels(named: Mapping[str, str]) -> Labels:
    return frozenset(named.items())


def _only(labels: Labels, names: set[str]) -> Labels:
    return frozenset(one for one in labels if one[0] in names)


def _unnamed(labels: Labels) -> Labels:
    return frozenset(one for one in labels if one[0] != NAME)
