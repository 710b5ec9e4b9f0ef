"""Running one seed, or many of them."""

from __future__ import annotations

import gc
import logging
import signal
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from multiprocessing import get_context

from orchestrator import fault_points
from orchestrator.simulation.database import SimulatedStore
from orchestrator.simulation.world import Outcome, World
from orchestrator.telemetry import Event

CHUNK = 16  # seeds that a process takes at a time
GARBAGE = 50_000  # objects between two collections: a tenth of the time went into them


@cache
def _store() -> SimulatedStore:
    """The one database of this process, made anew for each seed."""
    return SimulatedStore()


def simulate(seed: int, *, traced: bool = False) -> Outcome:
    """Run one seed to its end. The same seed gives the same, wherever and whenever."""
    world = World(seed, _store(), traced=traced)
    with _listening(world):
        fault_points.watch(world.reached)
        try:
            return world.run()
        finally:
            fault_points.watch(None)


class _Bugs(logging.Handler):
    """Hears of what the engine caught, kept to itself and logged: a bug all the same."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        """One line of the product's log."""
        if record.msg in (Event.LOOK_BROKE, Event.HAND_OFF_BROKE, Event.SWEEP_BROKE):
            self._world.witness.broke(f"{record.msg}: {getattr(record, 'facts', {})}")


@contextmanager
def _listening(world: World) -> Iterator[None]:
    """Nothing is printed meanwhile."""
    ours = logging.getLogger("orchestrator")
    before = ours.level, ours.propagate, ours.handlers[:]
    ours.setLevel(logging.ERROR)
    ours.propagate, ours.handlers[:] = False, [_Bugs(world)]
    try:
        yield
    finally:
        ours.setLevel(before[0])
        ours.propagate, ours.handlers[:] = before[1:]


def simulate_many(seeds: Sequence[int], *, processes: int = 1) -> Generator[Outcome, None, None]:
    """Run many seeds, in any order, on several cores."""
    if processes <= 1:
        for seed in seeds:
            yield simulate(seed)
        return
    # Spawned: a copy of a process that runs threads may inherit their locks.
    with get_context("spawn").Pool(processes, initializer=_begin) as pool:
        yield from pool.imap_unordered(simulate, seeds, chunksize=CHUNK)


def _begin() -> None:
    """A process that runs seeds for another one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever waits for the results
    gc.set_threshold(GARBAGE)
