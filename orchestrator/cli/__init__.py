"""The command line. `--help` must be quick: what a command needs beyond typer is imported inside it."""

from __future__ import annotations


def main() -> None:
    """The console entry."""
    from orchestrator.cli.program import app

    app()
