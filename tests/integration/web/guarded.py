"""An application behind our middleware, served over real sockets in a thread of this process."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp

from orchestrator.web.doors import Doors, Part
from orchestrator.web.server import make_server
from tests.patience import LONG
from tests.sandbox.harness import until


@contextmanager
def served(app: ASGIApp) -> Iterator[tuple[str, int]]:
    """The address of a server that has this application."""
    listening = socket.create_server(("127.0.0.1", 0))
    address = listening.getsockname()
    server = make_server(Doors(dict.fromkeys(Part, app), (), {}, app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        until(lambda: server.started)
        yield address
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def exchange(address: tuple[str, int], said: bytes, *, end: bytes = b"") -> bytes:
    """Everything that is answered to these bytes, until the server hangs up or `end` came."""
    with socket.create_connection(address, timeout=LONG) as client:
        client.sendall(said)
        got = b""
        while not (end and got.endswith(end)) and (part := client.recv(65_536)):
            got += part
        return got


def status_of(answer: bytes) -> int:
    return int(answer.split()[1])
