"""Printing: JSON for programs, aligned text for people, on terminals of any width."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDE = 10_000  # where nobody looks at a screen nothing is cut

# What a terminal obeys instead of showing it, what breaks a line or turns it round, and half characters.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

STYLES = {
    "completed": "green",
    "done": "green",
    "ok": "green",
    "failed": "red",
    "rejected": "red",
    "dead": "red",
    "fail": "red",
    "timed_out": "red",
    "uncertain": "yellow",
    "warn": "yellow",
    "expired": "yellow",
    "cancelled": "yellow",
    "missing": "yellow",
    "waiting": "cyan",
    "owed": "cyan",
}


def console() -> Console:
    """Standard output."""
    terminal = sys.stdout.isatty()
    return Console(highlight=False, markup=False, emoji=False, width=None if terminal else WIDE)


def print_json(value: Any, *, lines: bool = False) -> None:
    """One JSON document; with `lines`, on one line."""
    document = json.dumps(value, default=_plain, ensure_ascii=False, indent=None if lines else 2)
    # The line breaks between values are ours; json.dumps has escaped those inside them.
    print(
        _CONTROL.sub(lambda one: one[0] if one[0] == "\n" else f"\\u{ord(one[0]):04x}", document), flush=True
    )


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[str] = (), fold: bool = False
) -> None:
    """An aligned table. Where the screen ends the last column is cut, or with `fold` goes on below."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    for number, name in enumerate(columns):
        last = number == len(columns) - 1
        table.add_column(
            name,
            no_wrap=not (last and fold),
            overflow="fold" if fold else "ellipsis",
            justify="right" if name in right else "left",
            min_width=None if last else max([len(name), *(len(text(row[number])) for row in rows)]),
        )
    for row in rows:
        table.add_row(*(Text(text(cell), style=STYLES.get(str(cell), "")) for cell in row))
    out = console()
    with out.capture() as capture:
        out.print(table)
    for line in capture.get().splitlines():
        print(line.rstrip())


def text(value: Any) -> str:
    """A value on one line, nothing for None. What others wrote goes through here before it is printed."""
    return "" if value is None else _CONTROL.sub(_escaped, str(value))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def ago(seconds: float) -> str:
    """A span of time in its largest unit."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"


def moment(at: float | None) -> str:
    """A time of day with its date, in UTC."""
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
