"""Ports for the programs that tests start."""

import os
import random
import socket

_EVERY = range(12_000, 32_000)  # below those that the system gives to clients
_given_out: set[int] = set()


def _ours() -> range:
    """Those of this xdist worker, which no other draws from."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = len(_EVERY) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return _EVERY[number * share : (number + 1) * share]


def free_port() -> int:
    """A port that nobody listens on, and that nobody else of this run is given, ever.

    Drawn, not counted: another run on this machine, which asks at the same moment, shall try another one.
    """
    while True:
        port = random.choice(_ours())
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given_out:
            _given_out.add(port)
            return port
