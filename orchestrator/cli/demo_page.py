"""The end of the demo, read back from the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.cli.screen import STYLES, console, print_json, text
from orchestrator.cli.words import doing
from orchestrator.core.job import HandOffKind
from orchestrator.core.lifecycle import State
from orchestrator.demo.play import Verdict

COLUMNS = f"{'case':<24}{'outcome':<11}{'won by':<9}{'looks':>5}{'webhooks':>10}"


def print_verdicts(verdicts: Sequence[Verdict], *, as_json: bool) -> None:
    """Every case, and what did not go as it must."""
    if as_json:
        print_json(
            {"ok": not any(one.problems for one in verdicts), "cases": [*map(_document, verdicts)]},
            lines=True,
        )
        return
    out = console()
    out.print(f"\n{COLUMNS}", style="bold")
    for one in verdicts:
        _print_case(out, one)
    wrong = [one for one in verdicts if one.problems]
    out.print()
    for one in wrong:
        out.print(f"{one.case.title}: {'; '.join(one.problems)}", style="red")
    if wrong:
        out.print(f"{len(wrong)} of {len(verdicts)} did not go as they must", style="bold red")
    else:
        out.print(f"all {len(verdicts)} ended as they must, by the path they must", style="bold green")


def _print_case(out: Console, one: Verdict) -> None:
    job = one.evidence.standing.job
    out.print(f"{one.case.title:<24}", end="")
    out.print(f"{job.state:<11}", style=STYLES.get(job.state), end="")
    out.print(f"{job.won_by or '-':<9}{job.looks:>5}{job.webhooks:>10}")
    for line in _details(one):
        out.print(f"  {line}")


def _details(one: Verdict) -> Iterator[str]:
    standing = one.evidence.standing
    job = standing.job
    if job.state is not State.COMPLETED or not standing.hand_offs:
        yield f"{job.id}: {text(job.failure['message']) if job.failure else doing(standing)}"
        yield f"gateway request {text(job.request_id) or 'unknown'}"
    for owed in standing.deliveries:
        if owed.location and owed.kind is HandOffKind.OUTPUT:
            yield f"{Path(owed.location).name}  {owed.bytes} bytes  sha256 {str(owed.sha256)[:12]}"
        elif owed.location:
            yield f"{Path(owed.location).name}  {owed.bytes} bytes"


def _document(one: Verdict) -> dict[str, Any]:
    job = one.evidence.standing.job
    return {
        "case": one.case.name,
        "job": job.id,
        "outcome": job.state,
        "won_by": job.won_by,
        "looks": job.looks,
        "webhooks": job.webhooks,
        "error": job.failure,
        "gateway_request_id": job.request_id,
        "files": [
            {"path": owed.location, "bytes": owed.bytes, "sha256": owed.sha256}
            for owed in one.evidence.standing.deliveries
        ],
        "problems": one.problems,
    }
