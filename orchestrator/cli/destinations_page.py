"""Destinations on the screen: all in a table, one with everything about it."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.cli.catalogued import Shown
from orchestrator.cli.screen import print_table, text
from orchestrator.core.routes import Outcome


def print_all(found: list[Shown]) -> None:
    """One line for each, and below those that cannot be read why."""
    columns = ("name", "type", "from", "gets", "default", "at once", "outcomes")
    print_table(columns, [_row(one) for one in found], fold=True)
    for one in found:
        if one.problem:
            print(f"{one.name}: {text(one.problem)}")


def print_one(one: Shown) -> None:
    """Everything about one, secrets masked."""
    for name, value in (
        ("name", one.name),
        ("type", one.type),
        ("from", one.source),
        ("gets", one.deliver),
        ("outcomes", _outcomes(one)),
        ("default", _yes(one.default)),
        ("at once", one.at_once),
        ("tenants", ", ".join(one.tenants) if one.tenants else None),
        *((f"option {name}", _plain(value)) for name, value in sorted(one.options.items())),
        ("problem", one.problem),
    ):
        if value is not None:
            print(f"{name:<26}{text(value)}")


def _row(one: Shown) -> tuple[Any, ...]:
    return (one.name, one.type, one.source, one.deliver, _yes(one.default), one.at_once, _outcomes(one))


def _outcomes(one: Shown) -> str:
    return "all" if len(one.outcomes) == len(Outcome) else ", ".join(one.outcomes)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
