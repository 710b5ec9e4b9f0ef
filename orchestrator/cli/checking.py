"""Looking whether everything is in place, without starting anything."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.exits import Exit
from orchestrator.cli.options import AsJson


def check(
    settings: Annotated[
        bool,
        typer.Option("--settings", help="List every setting: its value, where it comes from, what it does."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check settings, database, output folder, gateway, webhooks and port; starts and changes nothing.

    Exit code 1 if something would not work.
    """
    from orchestrator.cli.checks import every_check, print_findings
    from orchestrator.cli.screen import print_json
    from orchestrator.cli.settings_page import every_setting, print_settings

    if settings:
        found = every_setting()
        print_json(found) if as_json else print_settings(found)
        return
    findings = every_check()
    print_json(findings) if as_json else print_findings(findings)
    if any(one.status == "fail" for one in findings):
        raise typer.Exit(Exit.OTHERWISE)
