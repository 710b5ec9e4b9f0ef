"""What could not be handed off, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.cli.options import AsJson, DataDir, ForDestination, ForOutcome, ForStatus, Limit, Since
from orchestrator.cli.spans import seconds

if TYPE_CHECKING:
    from orchestrator.core.job import HandOff
    from orchestrator.store.database import Transaction
    from orchestrator.store.dead_letters import Matching


def dead_letters(
    destination: ForDestination = None,
    outcome: ForOutcome = None,
    status: ForStatus = None,
    since: Since = None,
    limit: Limit = 20,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List hand-offs that were given up, the latest first: what they were, and what was answered last."""
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.screen import print_json
    from orchestrator.store import dead_letters as rows
    from orchestrator.store.schema import DEFAULT

    with (
        opened(wiring.read_settings(quiet=True, data_dir=data_dir)) as context,
        context.store.read() as tx,
    ):
        wanted = matching(tx, destination, outcome, status, since)
        found, there, now = (
            rows.latest(tx, DEFAULT, wanted, limit=limit),
            rows.count(tx, DEFAULT, wanted),
            tx.now,
        )
    print_json(found) if as_json else _print(found, there, now)


def matching(
    tx: Transaction, destination: str | None, outcome: str | None, status: int | None, since: str | None
) -> Matching:
    """Which are meant, as the options say."""
    from orchestrator.store.dead_letters import Matching

    return Matching(destination, outcome, None if since is None else tx.now - seconds(since), status)


def _print(found: list[HandOff], there: int, now: float) -> None:
    from orchestrator.cli.screen import ago, print_table, text

    if not found:
        print("no dead letters")
        return
    rows = [
        (one.id, ago(now - one.created_at), one.destination, _what(one), one.job_id, _why(one))
        for one in found
    ]
    print_table(("id", "age", "destination", "what", "job", "why"), rows, right=("id", "age"), fold=True)
    for one in found:
        if one.last_preview:
            print(f"\nanswer to {one.id} ({one.last_status}): {text(one.last_preview)}")
    if there > len(found):
        print(f"{len(found)} of {there}; --limit shows more")
    print(
        "\n`orchestrator replay --dead` tries them again, `replay --hand-off ID` one; --as-new renames them"
    )


def _what(one: HandOff) -> str:
    return f"output {one.output_index}" if one.outcome is None else str(one.outcome)


def _why(one: HandOff) -> Any:
    status = f"HTTP {one.last_status}: " if one.last_status else ""
    return f"{status}{one.last_error} ({one.attempts} attempts)"
