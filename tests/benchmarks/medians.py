"""Rounds of several ways that took turns, as rows of medians for the page of the comparison."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Rounds = Mapping[str, Sequence[Mapping[str, float]]]


def medians(rounds: Rounds) -> dict[str, dict[str, float]]:
    """The median of each number, by ways."""
    return {
        name: {what: statistics.median(one[what] for one in some) for what in some[0]}
        for name, some in rounds.items()
    }


def as_table(rounds: Rounds, columns: Mapping[str, str]) -> dict[str, Any]:
    """`columns` by what the page calls them, and the `ways` with what each found, empty where it has none."""
    told = {
        name: [f"{found[what]:,.2f}" if what in found else "" for what in columns]
        for name, found in medians(rounds).items()
    }
    return {"columns": list(columns.values()), "ways": told}
