"""The command line. `--help` must be quick: what a command needs beyond typer is imported inside it."""

from __future__ import annotations

import gc

GARBAGE_AFTER = 50_000  # objects, a few MB


def main() -> None:
    """The console entry."""
    # What is loaded at the start stays: to look through it for garbage again and again took an eighth of it.
    gc.set_threshold(GARBAGE_AFTER)

    from orchestrator.cli.program import command_line

    command_line()
