"""What a check comes to, and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked. `status` is ok, warn or fail."""

    status: str
    what: str
    found: str
    hint: str = ""


def print_findings(findings: list[Finding]) -> None:
    """One line for each, and what to do below those that are not ok."""
    from orchestrator.cli.screen import STYLES, console, text

    out = console()
    for one in findings:
        out.print(f"{one.status:<6}", style=STYLES[one.status], end="")
        out.print(f"{one.what:<14} {text(one.found)}", soft_wrap=True)
        if one.hint and one.status != "ok":
            out.print(f"{'':<21}{text(one.hint)}", soft_wrap=True)
