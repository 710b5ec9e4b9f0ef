"""How webhooks come, and what trusting them would save and risk."""

from __future__ import annotations

import typer

from orchestrator.cli.options import AsJson, DataDir

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="How reliable webhooks are, and what trusting them saves.",
)


@app.command()
def health(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show how webhooks are doing, for each endpoint and provider.

    Healthy, degraded, silent or unknown, since when, and why.
    """
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.hooks_page import print_health
    from orchestrator.cli.screen import print_json
    from orchestrator.engine import hook_health

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    with opened(settings) as context, context.store.read() as tx:
        found, now = hook_health.of_every(tx), tx.now
    print_json(found) if as_json else print_health(found, now)


@app.command()
def report(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show what trusting webhooks would save and risk.

    Compared with polling by the gateway's guidance, with bounds, and with what cannot be known. Based on what
    jobs taught, including those in shadow mode.
    """
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.hooks_page import print_report
    from orchestrator.cli.screen import print_json
    from orchestrator.engine.hook_report import report as make

    with opened(wiring.read_settings(quiet=True, data_dir=data_dir)) as context:
        found = make(context)
        with context.store.read() as tx:
            now = tx.now
    print_json(found) if as_json else print_report(found, now)
