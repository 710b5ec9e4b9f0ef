"""Debian's packages, as root: installed without letting Debian start servers of its own."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Debian's packages ask this file whether they may start anything; 101 is "no".
_POLICY = Path("/usr/sbin/policy-rc.d")
_REFUSE = "#!/bin/sh\nexit 101\n"


def may_install() -> bool:
    """Whether this is root on a system with apt."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(package: str, *, policy: Path = _POLICY) -> None:
    """Install a package; when it cannot be, what apt said goes to our standard error."""
    with _one_at_a_time(), _nothing_started(policy):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        apt = ["apt-get", "-qq", "-y", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=600"]
        for step in (["update"], ["install", "--no-install-recommends", package]):
            subprocess.run(
                [*apt, *step],
                env=environment,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """The workers of one test run all find out at once that a server is missing."""
    with Path(tempfile.gettempdir(), "orchestrator-tests-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _nothing_started(policy: Path) -> Iterator[None]:
    if policy.exists():  # somebody else has a say in it
        yield
        return
    policy.write_text(_REFUSE)
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()
