"""Sending something through once more: a received webhook, or hand-offs that were given up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import AsJson, DataDir, ForDestination, ForOutcome, ForStatus, Since, Url

if TYPE_CHECKING:
    from orchestrator.cli.reached import Jobs, Which

LARGEST_ID = 2**63 - 1  # what a database counts to
_ID: dict[str, Any] = {"min": 1, "max": LARGEST_ID, "metavar": "ID", "show_default": False}


def replay(
    entry: Annotated[int | None, typer.Argument(help="The number of an inbox entry.", **_ID)] = None,
    rejected: Annotated[int | None, typer.Option(help="A rejected webhook, verified again.", **_ID)] = None,
    hand_off: Annotated[
        int | None,
        typer.Option(help="A hand-off that was given up; with --as-new also one that was done.", **_ID),
    ] = None,
    dead: Annotated[
        bool, typer.Option("--dead", help="All dead letters, or those that the options below select.")
    ] = False,
    destination: ForDestination = None,
    outcome: ForOutcome = None,
    status: ForStatus = None,
    since: Since = None,
    as_new: Annotated[
        bool,
        typer.Option(
            "--as-new",
            help="Under a new name, so that a receiver that remembers the old one accepts it again; also "
            "one that was done.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --dead: only say how many.")] = False,
    url: Url = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Process a webhook again, or retry dead letters.

    It makes nothing happen twice, unless you say --as-new: its effect is decided as it was the first time.
    """
    from orchestrator.cli.dead_letters import which
    from orchestrator.cli.reached import reached

    _require_one(entry, rejected, hand_off, dead or None)
    if not dead and (dry_run or any(one is not None for one in (destination, outcome, status, since))):
        raise typer.BadParameter("--dry-run and what narrows the dead letters go with --dead")
    if as_new and not (dead or hand_off is not None):
        raise typer.BadParameter("--as-new goes with --hand-off or --dead")
    if not dead and hand_off is None:
        if url is not None:
            raise typer.BadParameter("webhooks are replayed where the database is, not over --url")
        _replay_webhook(entry, rejected, data_dir, as_json=as_json)
        return
    with reached(url, data_dir) as there:
        if dead:
            meant = which(destination, outcome, status, since)
            _replay_dead(there, meant, as_new=as_new, dry_run=dry_run, as_json=as_json)
        elif hand_off is not None:
            there.replay_hand_off(hand_off, as_new=as_new)
            owed = {"hand_off": hand_off, "state": "owed"}
            _say(owed, f"hand-off {hand_off} is owed again", as_json)


def _require_one(*named: object) -> None:
    if len(named) - named.count(None) != 1:
        raise typer.BadParameter(
            "give one inbox entry, one --rejected or one --hand-off, or --dead for all dead letters"
        )


def _replay_dead(there: Jobs, meant: Which, *, as_new: bool, dry_run: bool, as_json: bool) -> None:
    count = there.count_dead(meant) if dry_run else there.replay_dead(meant, as_new=as_new)
    letters = "1 dead letter" if count == 1 else f"{count} dead letters"
    words = f"{letters} would be owed again" if dry_run else f"{letters} owed again"
    _say({"replayed": 0 if dry_run else count, "matching": count, "dry_run": dry_run}, words, as_json)


def _replay_webhook(entry: int | None, rejected: int | None, data_dir: Path | None, *, as_json: bool) -> None:
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.engine import replay as engine

    with opened(wiring.read_settings(quiet=True, data_dir=data_dir)) as context:
        if entry is not None:
            receipt = engine.replay(context, entry)
        else:
            receipt = engine.replay_rejected(context, rejected or 0)
        with context.store.read() as tx:
            _tell(tx, receipt, as_json)


def _tell(tx: Any, receipt: Any, as_json: bool) -> None:
    from orchestrator.store import inbox as rows
    from orchestrator.store import jobs

    kept = rows.get(tx, receipt.entry_id)
    job = jobs.get(tx, kept.job_id) if kept and kept.job_id else None
    words = {
        "applied": f"applied to {job.id}, which is {job.state}" if job else "applied",
        "waiting": "no job of ours has its id yet; it keeps waiting",
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
