"""A terminal as a reader has it: one shell that keeps its folder and its variables from block to block."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.acceptance.waiting import LONG, until

PATIENCE = 40.0  # seconds for one block
KEYS = {"Ctrl-C": signal.SIGINT, "Ctrl-\\": signal.SIGQUIT}
# Whoever is started in the background has these ignored, and hands that on: a terminal has not.
SHELL = """
import os, signal
for key in (signal.SIGINT, signal.SIGQUIT):
    signal.signal(key, signal.SIG_DFL)
os.execvp("bash", ["bash", "--noprofile", "--norc"])
"""


class Terminal:
    """What is typed into it is run at once. What it shows is kept in a file."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self._notes = folder / f".terminal-{name}"
        self._notes.mkdir()
        self._shown, self._ended = self._notes / "shown", self._notes / "ended"
        self._ended.touch()
        self._typed = 0
        self._from = 0  # where what the latest block shows begins
        with self._shown.open("wb") as shown:
            self._shell = subprocess.Popen(
                [sys.executable, "-c", SHELL],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=shown,
                stderr=shown,
                start_new_session=True,
            )

    def shown(self) -> str:
        """What the latest block has shown so far."""
        return self._shown.read_bytes()[self._from :].decode(errors="replace")

    def run(self, text: str, code: int | None = 0, typed: str = "") -> None:
        """Run commands to their end. The first that fails ends it, unless a failure may come."""
        self._type(text, typed, stop_at_failure=code == 0)
        ended = until(f"the end of\n{text}\n{self.shown()}", self._code, PATIENCE)
        assert code in (None, int(ended)), f"exit code {ended}, not {code}, of\n{text}\n{self.shown()}"

    def begin(self, text: str, words: str) -> None:
        """Run commands of which the last one goes on, and wait until it has said these words."""
        before, last = _apart(text)
        if before.strip():
            self.run(before)
        self._type(last, "", stop_at_failure=False)

        def said() -> bool:
            assert not self._code(), f"it ended:\n{last}\n{self.shown()}"
            return words in self.shown()

        until(f"{words!r} said by\n{last}", said, PATIENCE)

    def press(self, key: str) -> None:
        """Send the signal of a key to what runs here, and wait until it has ended."""
        for process in self._running():
            os.kill(process, KEYS[key])
        until(f"the end of what {key} ends:\n{self.shown()}", self._code, PATIENCE)

    def end(self) -> None:
        """Close it; what still runs in it is told to end, and made to if it does not."""
        running = self._running()
        assert self._shell.stdin
        self._shell.stdin.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._shell.pid, number)
            self._shell.wait(LONG)
            with suppress(AssertionError):
                until("the end of what runs in it", lambda: not any(map(_alive, running)), 10)
                return

    def _type(self, text: str, typed: str, *, stop_at_failure: bool) -> None:
        self._typed += 1
        self._from = self._shown.stat().st_size
        block = self._notes / f"{self._typed}.sh"
        block.write_text(text + "\n")
        block.with_suffix(".in").write_text(typed and f"{typed}\n")
        errexit, back = ("set -e\n", "set +e\n") if stop_at_failure else ("", "")
        code = f"echo {self._typed} $? >> {self._ended}\n"
        trap = f"trap 'echo {self._typed} $? >> {self._ended}' EXIT\n" if stop_at_failure else ""
        assert self._shell.stdin
        lines = f"{trap}{errexit}source {block} < {block.with_suffix('.in')}\n{code}trap - EXIT\n{back}"
        self._shell.stdin.write(lines.encode())
        self._shell.stdin.flush()

    def _code(self) -> str:
        """What the latest block exited with, as text; empty while it runs."""
        found = re.search(rf"^{self._typed} (\d+)$", self._ended.read_text(), re.MULTILINE)
        return found.group(1) if found else ""

    def _running(self) -> list[int]:
        children = Path(f"/proc/{self._shell.pid}/task/{self._shell.pid}/children")
        return [int(one) for one in children.read_text().split()] if children.exists() else []


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _apart(text: str) -> tuple[str, str]:
    """All commands but the last, and the last; a backslash at its end continues a line."""
    lines = re.sub(r"\\\n", "\0", text.strip()).splitlines()
    joined = [one.replace("\0", "\\\n") for one in lines]
    return "\n".join(joined[:-1]), joined[-1]
