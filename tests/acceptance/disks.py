"""Folders without room for a video: a file system of a test's own, or a limit where none may be mounted."""

import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.acceptance.processes import Child

MIB = 1024 * 1024
BIG = 4 * MIB  # what has no room
SMALL, LARGE = "3m", "200m"
OWN_MOUNTS = ["unshare", "--mount", "--user", "--map-root-user"]
# Only those see it who enter this process's place; it is gone when the process is.
HOLD = 'mount -t tmpfs -o size="$1" tmpfs "$0" && echo mounted && exec sleep 600'


def _may_mount() -> bool:
    """Whether this system has the programs, and lets us: few containers do."""
    with tempfile.TemporaryDirectory() as folder:
        mount = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "tmpfs", folder]
        try:
            done = subprocess.run(mount, check=False, capture_output=True)
        except OSError:
            return False
    return done.returncode == 0 and shutil.which("nsenter") is not None


class SmallDisk:
    """A file system too small for one of the files, for processes that are started `inside` it."""

    why = "the disk is full (ENOSPC)"

    def __init__(self, folder: Path, logs: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self._holder = Child([*OWN_MOUNTS, "sh", "-c", HOLD, str(folder), SMALL], logs, "disk", os.environ)
        self._holder.until_said("mounted")
        enter = ("nsenter", "--target", str(self._holder.pid), "--user", "--mount")
        self.inside = (*enter, "--preserve-credentials")
        self.there = Path(f"/proc/{self._holder.pid}/root{folder}")

    def fill(self, *writers: Child) -> None:
        """Leave no room; there is none from the beginning."""

    def make_room(self, *writers: Child) -> None:
        """Let the files fit."""
        remount = ["mount", "-o", f"remount,size={LARGE}", str(self._folder)]
        subprocess.run([*self.inside, *remount], check=True)

    def end(self) -> None:
        self._holder.end()


class SmallLimit:
    """A limit to the size of a file, laid on whoever writes."""

    why = "the file is larger than is allowed there (EFBIG)"
    inside: tuple[str, ...] = ()

    def __init__(self, folder: Path, logs: Path) -> None:
        del logs  # it needs no process
        folder.mkdir()
        self.there = folder

    def fill(self, *writers: Child) -> None:
        """Leave no room."""
        for writer in writers:
            _, hard = resource.prlimit(writer.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(writer.pid, resource.RLIMIT_FSIZE, (BIG // 2, hard))

    def make_room(self, *writers: Child) -> None:
        """Let the files fit."""
        for writer in writers:
            _, hard = resource.prlimit(writer.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(writer.pid, resource.RLIMIT_FSIZE, (hard, hard))

    def end(self) -> None:
        """Nothing is left of it."""


Disk = SmallDisk | SmallLimit
# What a test can stage here, the truest first; never empty.
KINDS: dict[str, type[Disk]] = {"tmpfs": SmallDisk} if _may_mount() else {}
KINDS |= {"limit": SmallLimit}
