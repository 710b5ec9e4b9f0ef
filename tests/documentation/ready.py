"""Our program, loaded once: each command is run by a copy of this process, and begins within milliseconds.

A page has dozens of commands, and to load what each needs takes half a second of a processor. What the copy
runs is the program's own entry, with the arguments, folder, environment and streams of whoever asked.
"""

import array
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

from orchestrator.cli import main

LOADED = ("cli", "client", "engine", "store", "sinks", "wire", "wiring")  # what commands load when they run
LONGEST = 1 << 20  # bytes of a request: arguments and environment


def load() -> None:
    """Load what is the same for all of them."""
    for name in LOADED:
        package = importlib.import_module(f"orchestrator.{name}")
        for module in pkgutil.iter_modules(getattr(package, "__path__", ())):
            if module.name != "__main__":
                importlib.import_module(f"{package.__name__}.{module.name}")


def serve(path: Path) -> None:
    """Take requests for ever; whoever started this ends it."""
    load()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(64)
        print("ready", flush=True)
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                os._exit(_answer(connection))
            connection.close()
            _forget_those_that_ended()


def _answer(connection: socket.socket) -> int:
    request, descriptors = _received(connection)
    child = os.fork()
    if child == 0:
        connection.close()
        _become(request, descriptors)
    for descriptor in descriptors:  # or whoever reads what it prints would wait for us
        os.close(descriptor)
    ended = os.pidfd_open(child)
    if ended not in select.select([ended, connection.fileno()], [], [])[0]:  # whoever asked is gone
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with suppress(BrokenPipeError):
        connection.sendall(str(os.waitstatus_to_exitcode(status) % 256).encode())
    return 0


def _received(connection: socket.socket) -> tuple[dict[str, object], list[int]]:
    text, descriptors, _, _ = socket.recv_fds(connection, LONGEST, 3)
    while not text.endswith(b"\n"):
        text += connection.recv(LONGEST)
    request: dict[str, object] = json.loads(text)
    return request, list(array.array("i", descriptors))


def _become(request: dict[str, object], descriptors: list[int]) -> None:
    code = 70
    try:
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            for number, mode in enumerate(("r", "w", "w"))
        )
        os.chdir(str(request["folder"]))
        environment, arguments = request["environment"], request["arguments"]
        assert isinstance(environment, dict)
        assert isinstance(arguments, list)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["orchestrator", *arguments]
        sys.modules["__main__"].__package__ = ""  # or help would call it by ours
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception as error:  # noqa: BLE001 (shown, as the interpreter would)
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _forget_those_that_ended() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
