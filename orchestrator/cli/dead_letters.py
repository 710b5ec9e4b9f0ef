"""What could not be handed off, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.cli.options import AsJson, DataDir, ForDestination, ForOutcome, ForStatus, Limit, Since, Url
from orchestrator.cli.spans import seconds

if TYPE_CHECKING:
    from orchestrator.cli.reached import Letters, Which
    from orchestrator.core.job import HandOff


def dead_letters(
    destination: ForDestination = None,
    outcome: ForOutcome = None,
    status: ForStatus = None,
    since: Since = None,
    limit: Limit = 20,
    url: Url = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List hand-offs that were given up, the latest first."""
    from orchestrator.cli.reached import reached
    from orchestrator.cli.screen import print_json

    with reached(url, data_dir) as there:
        found = there.dead_letters(which(destination, outcome, status, since), limit)
    print_json(found.document) if as_json else _print(found)


def which(destination: str | None, outcome: str | None, status: int | None, since: str | None) -> Which:
    """Which are meant, as the options say. Raises RequestError."""
    from orchestrator.cli.reached import Which

    return Which(destination, outcome, status, None if since is None else seconds(since))


def _print(found: Letters) -> None:
    from orchestrator.cli.screen import ago, print_table, text

    if not found.letters:
        print("no dead letters")
        return
    rows = [
        (one.id, ago(found.now - one.created_at), one.destination, _what(one), one.job_id, _why(one))
        for one in found.letters
    ]
    print_table(("id", "age", "destination", "what", "job", "why"), rows, right=("id", "age"), fold=True)
    for one in found.letters:
        if one.last_preview:
            print(f"\nanswer to {one.id} ({one.last_status}): {text(one.last_preview)}")
    if found.beyond:
        print(f"{found.beyond}; --limit shows more")
    print(
        "\n`orchestrator replay --dead` tries them again, `replay --hand-off ID` one; --as-new renames them"
    )


def _what(one: HandOff) -> str:
    return f"output {one.output_index}" if one.outcome is None else str(one.outcome)


def _why(one: HandOff) -> Any:
    status = f"HTTP {one.last_status}: " if one.last_status else ""
    return f"{status}{one.last_error} ({one.attempts} attempts)"
