"""Received webhooks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from orchestrator.cli.options import AsJson, DataDir, Limit


def inbox(
    rejected: Annotated[bool, typer.Option("--rejected", help="Those that were refused, and why.")] = False,
    limit: Limit = 20,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List the webhooks that were received, newest first."""
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.screen import ago, print_json, print_table
    from orchestrator.store import inbox as rows

    with (
        opened(wiring.read_settings(quiet=True, data_dir=data_dir)) as context,
        context.store.read() as tx,
    ):
        now = tx.now
        found: list[Any] = [
            *(rows.recent_rejections(tx, limit=limit) if rejected else rows.recent(tx, limit=limit))
        ]
    if as_json:
        print_json(found)
    elif rejected:
        print_table(
            ("id", "age", "reason", "detail"),
            [(one.id, ago(now - one.received_at), one.reason, one.detail) for one in found],
            right=("id", "age"),
        )
    else:
        told = [
            (
                one.id,
                ago(now - one.received_at),
                one.type,
                one.state,
                one.deliveries,
                one.job_id or one.gateway_id,
            )
            for one in found
        ]
        print_table(("id", "age", "type", "state", "times", "job"), told, right=("id", "age", "times"))
