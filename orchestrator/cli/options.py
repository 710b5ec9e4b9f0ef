"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer


def one_of(words: Iterable[str]) -> str:
    """The values that an option takes, for its help."""
    return f"One of {', '.join(words)}."


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
AsJsonLines = Annotated[
    bool, typer.Option("--json", help="Print JSON and nothing else, one JSON object per line.")
]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")]
JobName = Annotated[
    str,
    typer.Argument(
        metavar="JOB", help="A job, by our id or its beginning, your reference, or the gateway's id."
    ),
]
DataDir = Annotated[
    Path | None, typer.Option(help="Folder for the database. [ORCHESTRATOR_DATA_DIR]", show_default=False)
]
Url = Annotated[
    str | None,
    typer.Option(
        help="Use this orchestrator's API instead of a database, with the key in ORCHESTRATOR_API_KEY. "
        "[ORCHESTRATOR_API_URL]",
        show_default=False,
    ),
]
OutputDir = Annotated[
    Path | None, typer.Option(help="Folder for the results. [ORCHESTRATOR_OUTPUT_DIR]", show_default=False)
]
ForDestination = Annotated[
    str | None, typer.Option("--destination", help="Only those for this destination.", show_default=False)
]
ForOutcome = Annotated[
    str | None,
    typer.Option("--outcome", help="Only those about this outcome.", show_default=False),
]
ForStatus = Annotated[
    int | None,
    typer.Option("--status", help="Only those whose last answer had this HTTP status.", show_default=False),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="SPAN",
        help="Only those that became due within this time, such as 6h or 2d.",
        show_default=False,
    ),
]
