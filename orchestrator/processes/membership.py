"""Being known as a worker, so that leases can be had: a lease dies with whoever holds it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from orchestrator import wiring
from orchestrator.engine.context import Context
from orchestrator.errors import StoreError
from orchestrator.processes import timers
from orchestrator.store import workers

LEAVE_WITHIN = 3.0


@contextmanager
def joined(context: Context) -> Iterator[None]:
    """Be known as a worker, so that leases can be had; leaving frees them."""
    host, pid = wiring.whoami()
    with context.store.write() as tx:
        workers.join(tx, context.worker, host=host, pid=pid)
    with leaving_in_the_end(context):
        yield


@contextmanager
def leaving_in_the_end(context: Context) -> Iterator[None]:
    """Be forgotten as a worker in the end: whatever is leased then is free."""
    try:
        yield
    finally:
        leaving = threading.Thread(target=_leave, args=(context,), name="leave", daemon=True)
        leaving.start()
        leaving.join(LEAVE_WITHIN)  # a database that hangs is not waited for


def _leave(context: Context) -> None:
    with suppress(StoreError), context.store.write() as tx:  # else they are void some seconds later
        workers.leave(tx, context.worker)


@contextmanager
def beating(context: Context, *, takes_messages: bool = True) -> Iterator[None]:
    """Over a connection of its own: a worker whose others all wait for rows is not dead."""
    host, pid = wiring.whoami()
    with closing(wiring.open_store(context.settings, connections=1)) as store:
        heartbeat = timers.heartbeat(store, context.worker, host, pid, takes_messages=takes_messages)
        with timers.running(heartbeat, timers.leftovers(context)):
            yield
