"""How webhooks come, as people read it."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from orchestrator.cli.screen import ago, print_table, text
from orchestrator.engine.hook_health import Standing

if TYPE_CHECKING:  # numpy comes with it
    from orchestrator.engine.hook_report import Comparison, Report

NOTHING = "no webhook was awaited yet: nothing is known"
WIDTH = 100
_COSTS = ("by guidance", "trusting", "at worst", "if none came")


def print_health(found: Sequence[Standing], now: float) -> None:
    """One line for each."""
    if not found:
        print(NOTHING)
        return
    rows = [(_place(one), one.health, _since(one, now), one.why) for one in found]
    print_table(("endpoint", "health", "for", "why"), rows, fold=True)


def print_report(found: Sequence[Report], now: float) -> None:
    """A part for each channel."""
    if not found:
        print(NOTHING)
    for number, one in enumerate(found):
        if number:
            print()
        _print_one(one, now)


def _print_one(one: Report, now: float) -> None:
    standing = one.standing
    since = _since(standing, now)
    print(f"{_place(standing)}: {standing.health}{f' for {since}' if since else ''}; {text(standing.why)}")
    low, seen, high = (f"{100 * each:.1f} %" for each in one.lost)
    print(f"  awaited {one.awaited:.0f}, came {one.came:.0f}, never came {one.missed:.0f}: ", end="")
    print(f"{seen} lost, between {low} and {high} (95 of 100 such bounds hold)")
    print(f"  a webhook counts as lost {one.patience:.0f} s after the end")
    print(f"  delay: {_delays(one)}")
    if one.classes:
        print()
        print_table(("  class", "jobs", "", *_COSTS), [row for each in one.classes for row in _rows(each)])
        print(
            "  requests and seconds of lag are those of one job; at worst: with the upper bound of the loss"
        )
        print()
    print("  not known:")
    for line in one.unknown:
        print("\n".join(wrap(text(line), WIDTH, initial_indent="  - ", subsequent_indent="    ")))


def _rows(one: Comparison) -> list[tuple[str, ...]]:
    costs = (one.by_guidance, one.trusting, one.at_worst, one.if_none_came)
    return [
        (f"  {one.name}", f"{one.jobs:.0f}", "requests", *(f"{each.requests:.3f}" for each in costs)),
        ("", "", "lag, mean", *(_seconds(each.lag_mean) for each in costs)),
        ("", "", "lag, p95", *(_seconds(each.lag_p95) for each in costs)),
    ]


def _delays(one: Report) -> str:
    told = ", ".join(f"{name} {_or_later(seconds)}" for name, seconds in one.delays.items())
    caused = one.delays_seen - one.delays_known
    if not one.delays_known:
        return "not known; every webhook that came was caused by one of our looks, or none came"
    return f"{told}, from {one.delays_known:.0f} webhooks; {caused:.0f} more were caused by one of our looks"


def _or_later(seconds: float | None) -> str:
    return "not known" if seconds is None else _seconds(seconds)


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"


def _place(one: Standing) -> str:
    return f"{text(one.account)}, {text(one.provider) if one.provider else 'all providers'}"


def _since(one: Standing, now: float) -> str:
    return "" if one.since is None else ago(max(now - one.since, 0.0))
