"""The receiver of docs/how-to/receive-signed-calls.md, as it stands there, in a process of its own."""

import os
import re
import select
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.integration.sinks.receivers import NEW
from tests.patience import LONG
from tests.ports import free_port

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "how-to" / "receive-signed-calls.md"


class Guided:
    """The receiver that the guide shows, its port and its database; at most one process of it runs."""

    def __init__(self, folder: Path) -> None:
        (source,) = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
        self._file = folder / "receiver.py"
        self._file.write_text(source)
        self._database = folder / "received.db"
        self._process: subprocess.Popen[str] | None = None
        self.port = free_port()

    def start(self, where: str = "whole", secret: str = NEW) -> None:
        command = [sys.executable, "-m", "tests.integration.sinks.receiver_process"]
        self._process = subprocess.Popen(
            [*command, str(self._file), str(self.port), where],
            cwd=ROOT,
            env=os.environ | {"WEBHOOK_SECRET": secret, "DATABASE": str(self._database)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.wait_for("ready")

    def wait_for(self, word: str) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        assert select.select([self._process.stdout], [], [], LONG)[0]
        assert self._process.stdout.readline() == f"{word}\n"

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.communicate(timeout=LONG)
            self._process = None

    def effects(self) -> list[tuple[str, bytes]]:
        with closing(sqlite3.connect(self._database)) as database:
            return list(database.execute("SELECT id, event FROM received ORDER BY id"))
