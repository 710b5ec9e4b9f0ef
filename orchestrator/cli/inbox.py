"""Received webhooks, and sending them through once more."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from orchestrator.cli.options import AsJson, DataDir, Limit

LARGEST_ID = 2**63 - 1  # what a database counts to


def inbox(
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Those that were not believed, and why.")
    ] = False,
    limit: Limit = 20,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List the webhooks that came in, newest first."""
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


def replay(
    entry: Annotated[
        int | None,
        typer.Argument(
            min=1, max=LARGEST_ID, metavar="ID", help="An entry of the inbox.", show_default=False
        ),
    ] = None,
    rejected: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=LARGEST_ID,
            metavar="ID",
            help="A rejected webhook, verified again.",
            show_default=False,
        ),
    ] = None,
    hand_off: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=LARGEST_ID,
            metavar="ID",
            help="A hand-off that is dead or missing.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Send a received webhook through once more, or put a hand-off that was given up on its way.

    Nothing happens twice by it: what it changes is decided as on its first receipt.
    """
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.engine import replay as engine

    if [entry, rejected, hand_off].count(None) != 2:
        raise typer.BadParameter("name one inbox entry, one --rejected or one --hand-off")
    with opened(wiring.read_settings(quiet=True, data_dir=data_dir)) as context:
        if hand_off is not None:
            engine.replay_hand_off(context, hand_off)
            _say({"hand_off": hand_off, "state": "owed"}, f"hand-off {hand_off} is owed again", as_json)
            return
        receipt = (
            engine.replay(context, entry)
            if entry is not None
            else engine.replay_rejected(context, rejected or 0)
        )
        with context.store.read() as tx:
            _tell(tx, receipt, as_json)


def _tell(tx: Any, receipt: Any, as_json: bool) -> None:
    from orchestrator.store import inbox as rows
    from orchestrator.store import jobs

    kept = rows.get(tx, receipt.entry_id)
    job = jobs.get(tx, kept.job_id) if kept and kept.job_id else None
    words = {
        "applied": f"applied to {job.id}, which is {job.state}" if job else "applied",
        "waiting": "no job of ours is known by its id yet; it keeps waiting",
        "ignored": "not about a video job",
    }
    document = {
        "entry": receipt.entry_id,
        "fate": receipt.fate,
        "job": job and job.id,
        "state": job and job.state,
    }
    _say(document, f"inbox entry {receipt.entry_id}: {words[receipt.fate]}", as_json)


def _say(document: dict[str, Any], sentence: str, as_json: bool) -> None:
    from orchestrator.cli.screen import print_json

    if as_json:
        print_json(document)
    else:
        print(sentence)
