"""Our program, loaded once: each run of it is a fork of this process, and begins within milliseconds.

A thousand runs are started by the tests, and to load what a run needs takes a second of a processor.
What the fork runs is the program's own entry, with the arguments, folder, environment and streams of whoever
asked. They get its process id, and once it has ended its return code.
"""

import array
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import orchestrator
from orchestrator.cli import main

LONGEST = 1 << 20  # bytes of a request: arguments and environment
NOT_ALONE = ("__main__", ".migrations.")  # run by something else, not imported
LAZY = (  # loaded by libraries when they are first needed
    "aiohttp.connector",
    "celery.app.amqp",
    "celery.concurrency.thread",
    "celery.worker",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer.agent",
    "celery.worker.strategy",
    "kombu.transport.memory",
    "kombu.transport.redis",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
)


def load() -> None:
    """Load what is the same for all runs."""
    for module in pkgutil.walk_packages(orchestrator.__path__, "orchestrator."):
        if not any(part in module.name for part in NOT_ALONE):
            importlib.import_module(module.name)
    for name in LAZY:
        importlib.import_module(name)


def serve(path: Path) -> Callable[[], object]:
    """Take requests until standard input ends, or, in a fork: what it is to run."""
    load()
    gc.collect()
    gc.freeze()  # or each fork's first collection would copy all pages
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(64)
        print("ready", flush=True)
        while True:
            if 0 in select.select([listening.fileno(), 0], [], [])[0]:
                return lambda: None
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                return _answer(connection)
            connection.close()
            _forget_those_that_ended()


def _answer(connection: socket.socket) -> Callable[[], object]:
    """In the fork, what it is to run; its parent tells of its end, and kills it if nobody is left to tell."""
    request, descriptors = _received(connection)
    child = os.fork()
    if child == 0:
        connection.close()
        return _become(request, descriptors)
    for descriptor in descriptors:  # or whoever reads what it prints would wait for us
        os.close(descriptor)
    with suppress(BrokenPipeError):
        connection.sendall(f"{child}\n".encode())
    ended = os.pidfd_open(child)
    if ended not in select.select([ended, connection.fileno()], [], [])[0]:  # whoever asked is gone
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with suppress(BrokenPipeError):
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _received(connection: socket.socket) -> tuple[dict[str, object], list[int]]:
    text, descriptors, _, _ = socket.recv_fds(connection, LONGEST, 3)
    while not text.endswith(b"\n"):
        more = connection.recv(LONGEST)
        if not more:  # whoever asked is gone
            os._exit(1)
        text += more
    request: dict[str, object] = json.loads(text)
    return request, list(array.array("i", descriptors))


def _become(request: dict[str, object], descriptors: list[int]) -> Callable[[], object]:
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", 1, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.chdir(str(request["folder"]))
    environment, arguments = request["environment"], request["arguments"]
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(environment)
    module = str(request.get("module", ""))
    if module:
        sys.argv = [module, *arguments]
        return lambda: runpy.run_module(module, run_name="__main__", alter_sys=True)
    del sys.path[0]  # the folder that the tests are in: the program does not look there
    sys.argv = ["orchestrator", *arguments]
    sys.modules["__main__"].__package__ = ""  # or help would call it by ours
    return main


def _forget_those_that_ended() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


if __name__ == "__main__":
    serve(Path(sys.argv[1]))()
