"""Where jobs stand, for whoever watches them: the row together with what is owed for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.core.job import HandOff, HandOffKind, HandOffState, Job, Output
from orchestrator.core.lifecycle import SETTLED, State
from orchestrator.errors import NotAllowed, NotFound
from orchestrator.store import accounts, hand_offs, job_lists, jobs, outputs, overviews, tenants
from orchestrator.store.database import Transaction
from orchestrator.store.schema import DEFAULT

SHOWN_WHEN_UNCLEAR = 5
HELD_LATELY = 10.0  # seconds; a hold is renewed every few, and may be just between two


@dataclass(frozen=True, slots=True)
class Standing:
    """One job with its outputs and hand-offs, read in one transaction at `now`.

    `held` says why the job is not created yet, where its tenant has enough under way; `account` is the name
    of the one that it is made with.
    """

    job: Job
    outputs: tuple[Output, ...]
    hand_offs: tuple[HandOff, ...]
    now: float
    held: str | None = None
    account: str = DEFAULT

    @property
    def deliveries(self) -> tuple[HandOff, ...]:
        """What is owed to destinations: the way to the archive comes before that."""
        return tuple(one for one in self.hand_offs if one.kind is not HandOffKind.ARCHIVE)

    @property
    def ready(self) -> bool:
        """Whether it has ended and each of its outputs can be read, or never will be."""
        coming = any(
            one.kind is HandOffKind.ARCHIVE and one.state is HandOffState.OWED for one in self.hand_offs
        )
        return self.job.state in SETTLED and not self.job.detail_tries and not coming

    @property
    def over(self) -> bool:
        """Whether nothing more will happen by itself; a job that waits for a person is over too."""
        if self.job.needs_person:
            return True
        owed = any(one.state is HandOffState.OWED for one in self.hand_offs)
        return self.job.state in SETTLED and not self.job.detail_tries and not owed

    @property
    def well(self) -> bool:
        """Whether it completed and every destination has everything."""
        return (
            self.over
            and self.job.state is State.COMPLETED
            and not self.job.cancel_requested_at
            and all(one.state is HandOffState.DONE for one in self.hand_offs)
        )


def read(tx: Transaction, job_ids: Sequence[str]) -> list[Standing]:
    """Where these jobs stand, in the order given. Raises NotFound."""
    return of_jobs(tx, [jobs.require(tx, job_id) for job_id in job_ids])


def of_jobs(tx: Transaction, found: Sequence[Job]) -> list[Standing]:
    """Where jobs stand that were read in this transaction: however many, in so many statements."""
    if not found:
        return []
    ids = [job.id for job in found]
    there, owed = outputs.of_jobs(tx, ids), hand_offs.of_jobs(tx, ids)
    why = why_held(tx) if any(job.state is State.ACCEPTED for job in found) else {}
    names = accounts.names(tx, {job.account_id for job in found})
    return [
        Standing(
            job,
            tuple(there.get(job.id, ())),
            tuple(owed.get(job.id, ())),
            tx.now,
            why.get(job.tenant_id) if job.state is State.ACCEPTED else None,
            names[job.account_id],
        )
        for job in found
    ]


def of_tenant(tx: Transaction, tenant_id: str, job_id: str) -> Standing:
    """Where one job of the tenant's stands, most often in one statement. Raises NotFound."""
    found = overviews.of_tenant(tx, tenant_id, job_id, held_since=tx.now - HELD_LATELY)
    there = outputs.of_job(tx, job_id) if found.has_outputs else ()
    owed = hand_offs.of_job(tx, job_id) if found.has_hand_offs else ()
    return Standing(found.job, tuple(there), tuple(owed), tx.now, found.held, found.account)


def of_new(new: Sequence[Job], account_names: Mapping[str, str]) -> list[Standing]:
    """Where jobs stand that were kept just now: nothing is there and nothing is owed, so nothing is read."""
    return [Standing(job, (), (), job.accepted_at, None, account_names[job.account_id]) for job in new]


def why_held(tx: Transaction) -> dict[str, str]:
    """By tenant, why its accepted jobs are not created at the moment."""
    return tenants.held(tx, since=tx.now - HELD_LATELY)


def find(tx: Transaction, name: str) -> Job:
    """The job that a person means: by its id, a unique beginning of it, the gateway's id or a reference.

    Raises NotFound, or NotAllowed where several are meant.
    """
    exact = jobs.get(tx, name)
    if exact is not None:
        return exact
    found = job_lists.matching(tx, DEFAULT, name, limit=SHOWN_WHEN_UNCLEAR + 1) if name else []
    if not found:
        raise NotFound(f"there is no job {name}", hint="`orchestrator jobs` lists them")
    if len(found) > 1:
        ids = ", ".join(job.id for job in found[:SHOWN_WHEN_UNCLEAR])
        more = " and more" if len(found) > SHOWN_WHEN_UNCLEAR else ""
        raise NotAllowed(f"{name} could be several jobs", hint=f"name one of {ids}{more}")
    return found[0]
