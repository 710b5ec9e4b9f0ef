"""Removing what has been kept for long enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import AsJson, DataDir, one_of
from orchestrator.cli.spans import seconds
from orchestrator.core.lifecycle import SETTLED, State

if TYPE_CHECKING:
    from orchestrator.engine.context import Context
    from orchestrator.engine.purge import Wanted


def purge(
    older_than: Annotated[
        str,
        typer.Option(
            metavar="SPAN", help="Only for jobs that ended at least this long ago, such as 30d or 12h."
        ),
    ],
    whole_jobs: Annotated[
        bool, typer.Option("--jobs", help="The jobs too, with everything stored about them.")
    ] = False,
    states: Annotated[
        list[State] | None,
        typer.Option(
            "--state",
            metavar="STATE",
            help="Only for jobs that ended in this state; may be repeated. "
            f"{one_of(one for one in State if one in SETTLED)}",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much would be deleted.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Delete old outputs from the archive, or whole jobs.

    Only of jobs that have ended, and nothing that is still to be handed off.
    """
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.screen import print_json
    from orchestrator.engine.purge import Wanted

    if still_open := [state for state in states or () if state not in SETTLED]:
        raise typer.BadParameter(f"a job that is {still_open[0]} has not ended: it is never purged")
    wanted = Wanted(seconds(older_than), tuple(states) if states else tuple(SETTLED))
    with opened(wiring.read_settings(quiet=True, data_dir=data_dir)) as context:
        done = _purge(context, wanted, whole_jobs=whole_jobs, dry_run=dry_run)
    print_json(done) if as_json else print(_sentence(done))


def _purge(context: Context, wanted: Wanted, *, whole_jobs: bool, dry_run: bool) -> dict[str, Any]:
    from orchestrator.engine import purge as engine

    done: dict[str, Any] = {"what": "jobs" if whole_jobs else "outputs", "dry_run": dry_run}
    if dry_run:
        preview = engine.preview_jobs if whole_jobs else engine.preview_outputs
        found = preview(context, wanted)
        return done | {"count": found.count, "bytes": None if whole_jobs else found.bytes}
    act = engine.purge_jobs if whole_jobs else engine.purge_outputs
    return done | {"count": act(context, wanted), "contents_removed": engine.remove_unused(context)}


def _sentence(done: dict[str, Any]) -> str:
    what = f"{done['count']} {done['what'] if done['count'] != 1 else done['what'][:-1]}"
    if done["dry_run"]:
        size = "" if done["bytes"] is None else f", {done['bytes']} bytes as they were counted"
        return f"{what} would be purged{size}"
    return (
        f"{what} purged, {done['contents_removed']} files removed from the archive\n"
        "(what was archived within the last hour goes with the next purge)"
    )
