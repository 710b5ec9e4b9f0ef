"""Makes what the peers need: `.venv-peers`, and in it Restate's server from npm. Once, until that changes.

What does not install is said, and missing in the comparison; the rest is measured without it.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.peers.systems.peer import PYTHON

HERE = Path(__file__).parent
VENV = PYTHON.parents[1]
REQUIREMENTS = HERE / "requirements.txt"
RESTATE = "@restatedev/restate-server@1.7.12"
DONE = VENV / "installed"


def main() -> None:
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + RESTATE.encode()).hexdigest()
    if DONE.exists() and DONE.read_text() == wanted:
        return
    say("making .venv-peers")
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    if not install("-r", str(REQUIREMENTS)):
        for line in requirements():
            if not install(line):
                say(f"{line} does not install here")
    if not restate():
        say(f"{RESTATE} does not install here")
    DONE.write_text(wanted)


def requirements() -> list[str]:
    """One by one."""
    lines = (line.partition("#")[0].strip() for line in REQUIREMENTS.read_text().splitlines())
    return [line for line in lines if line]


def install(*what: str) -> bool:
    command = [str(PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check", "install", *what]
    return subprocess.run(command, check=False).returncode == 0


def restate() -> bool:
    npm = shutil.which("npm")
    options = ["--no-fund", "--no-audit", "--loglevel", "error", "--prefix", str(VENV)]
    return bool(npm) and subprocess.run([str(npm), "install", *options, RESTATE], check=False).returncode == 0


def say(words: str) -> None:
    print(f"bench: {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
