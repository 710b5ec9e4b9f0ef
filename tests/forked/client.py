"""How tests start runs of our program as forks of `tests.forked.server`."""

import atexit
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import IO

PROGRAM = Path(sys.executable).with_name("orchestrator")
# What the interpreter, or a library of C, reads as it starts: no fork would notice it.
_READ_AT_THE_START = ("PYTHON", "LD_", "LC_", "LANG", "TZ", "MALLOC", "OPENBLAS", "OMP")
_OF_NO_MATTER = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}  # all is loaded; lines are written at once
_BIN, _AS_MODULE = str(PROGRAM), [sys.executable, "-m"]
wanted = threading.Event()  # not set where it is measured what runs take: those are processes of their own


class Server:
    """The process that forks, started when it is first needed; it ends with this one, however that ends."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="forked-"))
        self.socket = self._folder / "socket"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked.server", str(self.socket)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout
        with self._process.stdout as said:
            assert said.readline() == b"ready\n", "it ended"

    def end(self) -> None:
        """End it; its forks end with whoever asked for them."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
        shutil.rmtree(self._folder)


@cache
def server() -> Server:
    """The one of this process."""
    made = Server()
    atexit.register(made.end)
    return made


def can_run(command: list[str], environment: Mapping[str, str]) -> bool:
    """Whether forks are wanted, and one would do the same as a process that is started anew."""
    ours = command[0] == _BIN or (command[:2] == _AS_MODULE and command[2].startswith("orchestrator."))
    return wanted.is_set() and ours and _at_the_start(environment) == _at_the_start(os.environ)


def _at_the_start(environment: Mapping[str, str]) -> dict[str, str]:
    names = {name for name in environment if name.startswith(_READ_AT_THE_START)} - _OF_NO_MATTER
    return {name: environment[name] for name in names}


class Fork:
    """A run, with what `subprocess.Popen` has of a process."""

    def __init__(
        self,
        command: list[str],
        folder: Path,
        environment: Mapping[str, str],
        streams: tuple[IO[bytes], IO[bytes], IO[bytes]],
    ) -> None:
        module, arguments = ("", command[1:]) if command[0] == _BIN else (command[2], command[3:])
        request = {"folder": str(folder), "environment": dict(environment)}
        request |= {"module": module, "arguments": arguments}
        text = json.dumps(request).encode() + b"\n"
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(server().socket))
        sent = socket.send_fds(self._connection, [text], [stream.fileno() for stream in streams])
        self._connection.sendall(text[sent:])
        self._told = self._connection.makefile("rb")
        self.pid = int(self._told.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its return code, if it has ended."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its return code, once it has ended."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def _ended(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], seconds)[0]:
            self.returncode = int(self._told.readline())
            self._told.close()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)
