"""Whether the folders can be used, and their disks have room."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator import wiring
from orchestrator.archive import Archive
from orchestrator.archive.folder import UNFINISHED
from orchestrator.cli.database_checks import not_there_yet
from orchestrator.cli.findings import Finding
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import OrchestratorError
from orchestrator.settings import Settings
from orchestrator.sinks.folder import FolderSink
from orchestrator.store.database import sqlite_path

GIB = 2**30
FULL = GIB // 4  # bytes free below which a single video may not fit
NEARLY_FULL = 5 * GIB
FEW_FILES = 1_000  # that can still be made


def output_folder(settings: Settings) -> list[Finding]:
    """The one of the destination `folder`."""
    folder = settings.output_dir.absolute()
    if not os.path.lexists(folder):  # asked to check itself, the destination would make it
        return [not_there_yet("output folder", folder, "ORCHESTRATOR_OUTPUT_DIR")]
    try:
        wiring.output_folder(settings).check()
    except OrchestratorError as error:
        return [Finding("fail", "output folder", error.message, error.hint)]
    return [Finding("ok", "output folder", str(folder))]


def archive(settings: Settings, *, write: bool) -> list[Finding]:
    """Where outputs are kept; one that is elsewhere is tried by writing alone."""
    folder, http = settings.resolved_archive_dir, HttpLoop()
    try:
        there: Archive | FolderSink = wiring.archive(settings, wiring.builder(settings, http.run))
        elsewhere = wiring.configured(settings).archive_options is not None
        if not settings.keep_outputs and not elsewhere and not os.path.lexists(folder):
            return [Finding("ok", "archive", "none: outputs are not kept")]
        if not write and not elsewhere and not os.path.lexists(folder):
            setting = "ORCHESTRATOR_ARCHIVE_DIR" if settings.archive_dir else "ORCHESTRATOR_DATA_DIR"
            return [not_there_yet("archive", folder, setting)]
        if elsewhere and not write:
            return [Finding("ok", "archive", "as the destinations file says; --destinations tries it")]
        if not write and not os.path.lexists(folder / UNFINISHED):
            # Asked to check itself, the archive would make that folder, which would be of whoever checks.
            there = FolderSink(folder)
        there.check()
    except OrchestratorError as error:
        return [Finding("fail", "archive", error.message, error.hint)]
    finally:
        http.stop()
    return [Finding("ok", "archive", "as the destinations file says" if elsewhere else str(folder))]


def disk(settings: Settings, wrong: frozenset[str] = frozenset()) -> list[Finding]:
    """The room on each disk that something of ours is or will be on, unless a `wrong` setting says where."""
    places = [
        ("the database", sqlite_path(settings.resolved_database_url), {"data_dir", "database_url"}),
        ("the archive", settings.resolved_archive_dir, {"data_dir", "archive_dir"}),
        ("the outputs", settings.output_dir.absolute(), {"output_dir"}),
    ]
    disks: dict[int, tuple[Path, list[str]]] = {}
    for what, path, said_by in places:
        there = None if path is None or said_by & wrong else _nearest(path)
        if there is not None:
            disks.setdefault(there.stat().st_dev, (there, []))[1].append(what)
    return [_room(there, " and ".join(what)) for there, what in disks.values()]


def _nearest(path: Path) -> Path | None:
    """What is there of a path, as far as this user may see."""
    # Not by pathlib, which raises for what lies in a folder that may not be entered.
    above = (one for one in (path.absolute(), *path.absolute().parents) if os.path.exists(one))  # noqa: PTH110
    return next(above, None)


def _room(there: Path, what: str) -> Finding:
    disk = os.statvfs(there)
    free, whole = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    room = f"{free / GIB:.1f} of {whole / GIB:.1f} GiB free for {what}"
    if disk.f_files and disk.f_favail < FEW_FILES:
        hint = "remove small files there: the disk has room for bytes, and for no names"
        return Finding("fail", "disk", f"{disk.f_favail} more files can be made for {what}", hint)
    hint = "make room, or purge: `orchestrator purge --help`, ORCHESTRATOR_RETAIN_OUTPUTS_DAYS"
    status = "fail" if free < FULL else "warn" if free < NEARLY_FULL else "ok"
    return Finding(status, "disk", room, hint)
