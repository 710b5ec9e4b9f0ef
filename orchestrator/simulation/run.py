"""Running one seed, or many of them."""

from __future__ import annotations

import gc
import logging
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import cast

from orchestrator import fault_points
from orchestrator.errors import OrchestratorError
from orchestrator.simulation.database import SimulatedStore
from orchestrator.simulation.world import Outcome, World
from orchestrator.telemetry import Event

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


def simulate_many(
    seeds: Sequence[int], *, processes: int = 1, left: Callable[[], float] | None = None
) -> Generator[Outcome, None, None]:
    """Run many seeds, in any order, on several cores; for as long as `left` says, in seconds.

    Raises OrchestratorError when one of the processes dies.
    """
    if processes <= 1:
        for seed in seeds:
            if left is not None and left() <= 0:
                return
            yield simulate(seed)
        return
    with _started(seeds, processes) as running:
        while running:
            ready = wait(list(running), None if left is None else max(0.0, left()))
            if not ready:
                return
            for outcomes in cast("list[Connection]", ready):
                try:
                    yield outcomes.recv()
                except EOFError:
                    _over(running.pop(outcomes))


@contextmanager
def _started(seeds: Sequence[int], processes: int) -> Iterator[dict[Connection, SpawnProcess]]:
    """Processes that share the seeds, by what their outcomes come through; ended when this is left."""
    # Spawned: a copy of a process that runs threads may inherit their locks.
    spawn = get_context("spawn")
    running: dict[Connection, SpawnProcess] = {}
    try:
        for number in range(processes):
            here, there = spawn.Pipe(duplex=False)
            share = seeds[number::processes]
            running[here] = spawn.Process(target=_run, args=(share, there), daemon=True)
            running[here].start()
            there.close()
        yield running
    finally:
        for process in running.values():
            process.terminate()


def _run(seeds: Sequence[int], outcomes: Connection) -> None:
    """A process that runs seeds for another one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever waits for the results
    gc.set_threshold(GARBAGE)
    for seed in seeds:
        outcomes.send(simulate(seed))
    outcomes.close()


def _over(process: SpawnProcess) -> None:
    process.join()
    if process.exitcode:
        raise OrchestratorError(
            f"a process that ran seeds died (exit code {process.exitcode})",
            hint="run them with --jobs 1 to see which seed it is",
        )
