"""Where commands find jobs: in a database, or behind the API of an orchestrator elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import typer

from orchestrator.core.job import Updates

if TYPE_CHECKING:
    from orchestrator.core.blame import Fault, Finding
    from orchestrator.core.job import HandOff, Job, Output
    from orchestrator.core.learned.paces import Why
    from orchestrator.core.lifecycle import State
    from orchestrator.core.routes import Outcome
    from orchestrator.engine.standing import Standing
    from orchestrator.settings import Settings
    from orchestrator.store.attempts import Attempt
    from orchestrator.store.observations import Recorded
    from orchestrator.wire.events import Event

# What a program is given with `--json`: rows from a database, the API's own answer from there.
Document = Any


@dataclass(frozen=True, slots=True)
class Wanted:
    """A job as the command line describes it; `to` has NAME or NAME:links."""

    request: dict[str, Any]
    reference: str | None = None
    end_user: str | None = None
    account: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    updates: Updates | None = None
    to: Sequence[str] = ()
    on: Sequence[Outcome] = ()
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A job that was kept."""

    id: str
    document: Document


@dataclass(frozen=True, slots=True)
class Some:
    """Which jobs are meant; no states, or None, means any."""

    states: Sequence[State] = ()
    reference: str | None = None
    end_user: str | None = None
    blame: Fault | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """Some jobs. `held` says by id why some are not created yet, `beyond` how many of how many these are."""

    jobs: Sequence[Job]
    held: Mapping[str, str]
    beyond: str
    now: float
    document: Document


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything about one job. `why` its next look is when it is, where that is known here."""

    standing: Standing
    timeline: Sequence[Recorded]
    tries: Sequence[Attempt]
    findings: Sequence[Finding]
    document: Document
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """A job after a person decided about it."""

    standing: Standing
    document: Document


@dataclass(frozen=True, slots=True)
class Which:
    """Which dead letters are meant; None means any."""

    destination: str | None = None
    outcome: str | None = None
    status: int | None = None
    within: float | None = None  # seconds


@dataclass(frozen=True, slots=True)
class Letters:
    """Some dead letters; `beyond` as in Listed."""

    letters: Sequence[HandOff]
    beyond: str
    now: float
    document: Document


class Jobs(Protocol):
    """Jobs, wherever they are. Every method may raise OrchestratorError."""

    every: float  # seconds between looks at jobs that are followed

    def keep(self, wanted: Wanted, count: int) -> list[Kept]:
        """Keep so many such jobs, all or none."""
        ...

    def find(self, name: str) -> Job:
        """The job that a person means. Raises NotFound, or NotAllowed where several are meant."""
        ...

    def unfinished(self, limit: int) -> list[str]:
        """The ids of those that go on, or for which something is still to be handed off."""
        ...

    def standings(self, job_ids: Sequence[str]) -> Sequence[Standing]:
        """Where these stand."""
        ...

    def latest(self, which: Some, limit: int) -> Listed:
        """The newest of these."""
        ...

    def whole(self, name: str, *, raw: bool) -> Whole:
        """Everything about one."""
        ...

    def cancel(self, job_id: str) -> None:
        """Want it no more."""

    def retry(self, job_id: str) -> Kept:
        """Ask for the same once more, as a new job."""
        ...

    def adopt(self, job_id: str, gateway_id: str) -> None:
        """Say which job of the gateway's it is."""

    def resubmit(self, job_id: str) -> None:
        """Create it again."""

    def give_up(self, job_id: str) -> None:
        """Stop waiting for it."""

    def decided(self, job_id: str) -> Decided:
        """Where it stands after one of these."""
        ...

    def dead_letters(self, which: Which, limit: int) -> Letters:
        """The latest of those that match."""
        ...

    def count_dead(self, which: Which) -> int:
        """How many match."""
        ...

    def replay_dead(self, which: Which, *, as_new: bool) -> int:
        """Try them again. Returns how many."""
        ...

    def replay_hand_off(self, hand_off_id: int, *, as_new: bool) -> None:
        """Try one again."""

    def outputs(self, job_id: str) -> Sequence[Output]:
        """Its outputs, in order."""
        ...

    def content(self, job_id: str, output: Output) -> Iterator[bytes]:
        """The bytes of one, checked at their end."""
        ...

    def events(self, job_id: str | None, tenant: str) -> Iterator[Event]:
        """What happens to a job, from its beginning until it is over; or to all of a tenant, from now on."""
        ...


def where(url: str | None, data_dir: Path | None) -> tuple[Settings, str | None]:
    """The settings, and the URL of the API if it is meant."""
    from orchestrator import wiring

    if url is not None and data_dir is not None:
        raise typer.BadParameter("--url and --data-dir are two different places")
    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    return settings, url or (settings.api_url if data_dir is None else None)


@contextmanager
def reached(url: str | None, data_dir: Path | None, *, create: bool = False) -> Iterator[Jobs]:
    """The jobs that the command line means: `--url`, else `--data-dir`, else as the settings say."""
    settings, there = where(url, data_dir)
    if there:
        from orchestrator import wiring
        from orchestrator.cli.remote import RemoteJobs, connected

        with connected(there, settings.api_key) as client:
            yield RemoteJobs(client, wiring.wall_clock)
        return
    from orchestrator.cli.database import built, opened_store
    from orchestrator.cli.local import LocalJobs

    with opened_store(settings, create=create) as store, ExitStack() as stack:
        yield LocalJobs(store, lambda: stack.enter_context(built(settings, store)))
