"""Folders that a server can use which runs as somebody else, since PostgreSQL refuses to be root."""

import os
import pwd
import shutil
import stat
import tempfile
from pathlib import Path

_NOBODY = ("nobody", "daemon")


def unprivileged() -> str:
    """The user that servers run as: empty for ourselves, somebody harmless when we are root."""
    if os.geteuid() != 0:
        return ""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _NOBODY if name in names)


def private_folder(prefix: str, user: str) -> Path:
    """A new folder that only `user` (empty: we) may enter."""
    temporary = Path(tempfile.gettempdir())
    parent = temporary if not user or reachable(temporary / "it") else Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent)).resolve()
    if user:
        shutil.chown(folder, user)
    return folder


def reachable(file: Path) -> bool:
    """Whether everybody may enter the folders on the way to a file."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in file.resolve().parents)


def program_for(user: str, program: Path, folder: Path) -> Path:
    """The program where `user` can run it: its installation is copied when it lies in a private folder."""
    if not user or reachable(program):
        return program
    installation = program.parents[1]
    copy = folder / "installation"
    shutil.copytree(installation, copy, symlinks=True)
    return copy / program.relative_to(installation)
