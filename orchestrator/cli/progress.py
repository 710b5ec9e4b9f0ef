"""Showing jobs while they go on: bars in a terminal, lines in a pipe, JSON lines for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from types import TracebackType
from typing import Any, Protocol, Self

from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from orchestrator.cli.screen import STYLES, console, print_json
from orchestrator.cli.words import doing, next_look
from orchestrator.engine.standing import Standing

QUIET_AFTER = 5.0  # seconds without a change after which a line says what is waited for


class Display(AbstractContextManager["Display"], Protocol):
    """Shows where jobs stand, again and again. `names` gives jobs other names than their ids."""

    names: Mapping[str, str]

    def show(self, standings: Sequence[Standing]) -> None:
        """What stands now; called several times a second."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The last thing shown stays."""


def display(*, as_json: bool, clock: Callable[[], float]) -> Display:
    """The display that fits where standard output goes. `clock` is monotonic."""
    if as_json:
        return JsonLines()
    return Bars() if sys.stdout.isatty() else Lines(clock)


class Bars:
    """One bar for each job."""

    def __init__(self) -> None:
        self.names: Mapping[str, str] = {}
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=12),
            TextColumn("{task.fields[state]}", table_column=Column(no_wrap=True, min_width=9)),
            TimeElapsedColumn(),
            TextColumn(
                "{task.fields[detail]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)
            ),
            console=console(),
            expand=True,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, standings: Sequence[Standing]) -> None:
        """Move the bars."""
        for one in standings:
            self._move(one)

    def _move(self, one: Standing) -> None:
        job = one.job
        known = self._tasks.get(job.id)
        if known is None:
            name = self.names.get(job.id, job.id)
            known = self._tasks[job.id] = self._progress.add_task(name, total=100, state="", detail="")
        look = "" if one.over else next_look(one)
        self._progress.update(
            known,
            total=100
            if job.progress or one.over
            else None,  # no number yet: the bar only shows that it lives
            completed=100 if one.over else min(job.progress, 99),
            state=f"[{STYLES.get(job.state, 'default')}]{job.state}",
            detail=escape(doing(one) + (f"; {look}" if look else "")),
        )
        if one.over:
            self._progress.stop_task(known)


class Lines:
    """One line for each change, and one now and then to say what is waited for."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.names: Mapping[str, str] = {}
        self._clock = clock
        self._began = self._last = clock()
        self._said: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, standings: Sequence[Standing]) -> None:
        """Print what changed since the last call."""
        for one in standings:
            line = _sentence(one)
            if self._said.get(one.job.id) != line:
                self._said[one.job.id] = line
                self._print(f"{self.names.get(one.job.id, one.job.id)}  {line}")
        going = [one for one in standings if not one.over]
        if going and self._clock() - self._last >= QUIET_AFTER:
            self._print(_waited_for(going))

    def _print(self, line: str) -> None:
        self._last = self._clock()
        print(f"{self._last - self._began:6.1f} s  {line}", flush=True)


class JsonLines:
    """One JSON object for each change."""

    def __init__(self) -> None:
        self.names: Mapping[str, str] = {}
        self._said: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, standings: Sequence[Standing]) -> None:
        """Print what changed since the last call."""
        for one in standings:
            said = _document(one)
            if self._said.get(one.job.id) != said:
                self._said[one.job.id] = said
                print_json({"at": one.now, **said}, lines=True)


def _sentence(one: Standing) -> str:
    progress = f" {one.job.progress} %" if 0 < one.job.progress < 100 else ""
    return f"{one.job.state}{progress}: {doing(one)}"


def _waited_for(going: Sequence[Standing]) -> str:
    """What could come next, and when."""
    first = min(going, key=lambda one: one.job.due_at or one.now)
    look, jobs = next_look(first), "1 job" if len(going) == 1 else f"{len(going)} jobs"
    waited_for = f"a webhook, or the gateway's guidance: {look}" if look else "a webhook"
    return f"… {jobs} open, waiting for {waited_for}"


def _document(one: Standing) -> dict[str, Any]:
    job = one.job
    return {
        "job": job.id,
        "reference": job.reference,
        "state": job.state,
        "gateway_status": job.gateway_status,
        "progress": job.progress,
        "won_by": job.won_by,
        "needs_person": job.needs_person,
        "error": job.failure,
        "over": one.over,
        "hand_offs": [
            {name: asdict(owed)[name] for name in ("key", "state", "attempts", "location", "last_error")}
            for owed in one.hand_offs
        ],
    }
