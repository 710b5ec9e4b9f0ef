"""Looking whether everything is in place, without starting anything."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.exits import Exit
from orchestrator.cli.options import AsJson

if TYPE_CHECKING:
    from orchestrator.cli.findings import Finding


class Process(StrEnum):
    """A process that can be asked for."""

    WEB = "web"  # the receiver at this host's port answers
    WORKER = "worker"  # a worker of this host beats in the database
    BEAT = "beat"  # a message of some beat reached some worker just now


def check(
    settings: Annotated[
        bool,
        typer.Option("--settings", help="List every setting: its value, where it comes from, what it does."),
    ] = False,
    alive: Annotated[
        Process | None,
        typer.Option(
            help="Only check whether such a process is alive: the receiver or a worker on this machine, "
            "or any beat. For health checks.",
            show_default=False,
        ),
    ] = None,
    destinations: Annotated[
        bool,
        typer.Option("--destinations", help="Also write a probe to each destination, read and remove it."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find everything that is wrong, and say how to fix it.

    Checks everything at once, and starts and changes nothing: settings, database, broker, disk, secrets,
    gateway, clocks, webhooks and their way here, destinations, ports. Exit code 1 if something would not
    work.
    """
    from orchestrator.cli.findings import print_findings
    from orchestrator.cli.screen import print_json
    from orchestrator.cli.settings_page import every_setting, print_settings

    if settings:
        listed = every_setting()
        print_json(listed) if as_json else print_settings(listed)
        return
    findings = _findings(alive, destinations)
    print_json(findings) if as_json else print_findings(findings)
    if any(one.status == "fail" for one in findings):
        raise typer.Exit(Exit.OTHERWISE)


def _findings(alive: Process | None, destinations: bool) -> list[Finding]:
    from orchestrator import wiring
    from orchestrator.cli.findings import Finding

    given, problems = wiring.read_what_is_right()
    if not alive:
        from orchestrator.cli import checks

        return checks.every_check(given, problems, destinations=destinations)
    if problems:
        return [Finding("fail", "settings", one.words, "see `orchestrator check`") for one in problems]
    from orchestrator.cli import processes_checks

    return [processes_checks.alive(given, alive)]
