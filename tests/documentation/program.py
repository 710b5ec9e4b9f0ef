"""The `orchestrator` that is on the path of whoever follows a page: the real one, in a hurry.

Short commands are run by `tests.forked.server`. What goes on, `up` and `sandbox`, is a process.
The sandbox's time passes faster, and it asks for looks sooner, so that no page takes minutes.
"""

import os
import sys
from pathlib import Path

from tests.forked import client as forked

FASTER = 8  # times: jobs of the sandbox end within two seconds
HINT = 2.5  # seconds between looks that the sandbox asks for
GO_ON = ("up", "web", "worker", "beat", "demo", "sandbox")

_SHIM = """#!PYTHON -IS
import json, os, socket, sys
given = sys.argv[1:]
goes_on = given[:1] and given[0] in GO_ON and given[1:2] != ["trigger"] and "--help" not in given
if goes_on and given[0] == "sandbox":
    given += ["--time-scale", "FASTER"] * ("--time-scale" not in given)
    given += ["--poll-after-seconds", "HINT"] * ("--poll-after-seconds" not in given)
if goes_on:
    os.execv("PROGRAM", ["PROGRAM", *given])
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect("SOCKET")
    request = {"folder": os.getcwd(), "environment": dict(os.environ), "arguments": given}
    text = json.dumps(request).encode() + b"\\n"
    sent = socket.send_fds(asked, [text], [0, 1, 2])
    if text[sent:]:
        asked.sendall(text[sent:])
    told = asked.makefile("rb")
    told.readline()  # its process id
    sys.exit(int(told.readline() or 70) % 256)
"""


class Program:
    """A folder for the path, with our program in it."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self._put_shim(forked.server().socket)
        (self.bin / ".curlrc").write_text("fail-with-body\n")
        for name in ("python", "python3"):
            self._put(name, f'#!/bin/sh\nexec {sys.executable} "$@"\n')

    def _put_shim(self, socket: Path) -> None:
        words = {"PYTHON": sys.executable, "PROGRAM": forked.PROGRAM, "SOCKET": socket, "GO_ON": GO_ON}
        text = _SHIM
        for word, value in (words | {"FASTER": FASTER, "HINT": HINT}).items():
            text = text.replace(word, str(value))
        self._put("orchestrator", text)

    def _put(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def environment(self) -> dict[str, str]:
        """Where it is found, and that an answer by which a request is refused is a failure of curl."""
        return {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "CURL_HOME": str(self.bin)}
