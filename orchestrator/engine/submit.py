"""Keeping a job: from here on it cannot be lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from orchestrator import metrics
from orchestrator.core.ids import job_id
from orchestrator.core.job import Job, Updates, session_of
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import Route
from orchestrator.core.tracing import Part
from orchestrator.engine import spans
from orchestrator.engine.catalogue import Destination
from orchestrator.engine.checked import require_sound
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.errors import Gone, KeyReused, Misshapen, NotFound, Place, RequestError, StoreError
from orchestrator.fault_points import FaultPoint, reach
from orchestrator.store import accounts, events, idempotency, job_lists, jobs
from orchestrator.store.accounts import Paying
from orchestrator.store.database import Transaction
from orchestrator.store.schema import DEFAULT
from orchestrator.telemetry import Event, log


@dataclass(frozen=True, slots=True)
class Submission:
    """One job as its caller wants it. `request` is passed to the gateway as it is.

    A destination that is only named gets what it is configured to get; None: those that are the default.
    `updates` is None for a job that is followed as the settings say.
    `account` is the name of one of the tenant's, None: its first; a retry has `account_id` instead. `place`
    is where all this was said, for whoever is told what is wrong with it.
    """

    request: dict[str, Any]
    reference: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    updates: Updates | None = None
    destinations: tuple[Route | str, ...] | None = None
    deadline_seconds: float | None = None
    tenant_id: str = DEFAULT
    account: str | None = None
    account_id: str | None = None
    end_user: str | None = None
    retry_of: str | None = None
    traceparent: str | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class Once:
    """What makes a repeated request known: the tenant's key, and the SHA-256 of what was asked with it."""

    tenant_id: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Kept:
    """Jobs that were kept, and their accounts' names; `replayed`: by an earlier request with the same key."""

    jobs: list[Job]
    follow_ups: list[FollowUp]
    account_names: Mapping[str, str] = field(default_factory=dict)
    replayed: bool = False


def submit(context: Context, wanted: Sequence[Submission]) -> tuple[list[Job], list[FollowUp]]:
    """Keep jobs, all or none. Raises RequestError for one that could never be made."""
    kept = keep(context, wanted)
    return kept.jobs, kept.follow_ups


def keep(context: Context, wanted: Sequence[Submission], once: Once | None = None) -> Kept:
    """As `submit`; with `once`, what an earlier request with its key kept is returned instead.

    Also raises KeyReused where that request asked for something else, and Gone where its jobs were purged.
    """
    try:
        return _keep(context, wanted, once)
    except RequestError:
        if once is None or (earlier := found_earlier(context, once)) is None:
            raise
        return earlier  # what was sound then need not be so now, when a destination or an account is gone


def _keep(context: Context, wanted: Sequence[Submission], once: Once | None) -> Kept:
    began = context.clock()
    routes = _checked(context, wanted)
    with context.store.write() as tx:
        began_at = tx.now - (context.clock() - began)
        paying = _Accounts(tx)
        new = [_job(context, one, to, paying, tx.now) for one, to in zip(wanted, routes, strict=True)]
        if once and not _is_first(tx, once, new):
            return _earlier(tx, once) or _in_between()
        jobs.add(tx, new)
        events.append_first(tx, new)
    for job in new:
        log(Event.JOB_ACCEPTED, job=job.id, **spans.traced(context, job))
        spans.tell(context, job, Part.SUBMIT, "", began_at, began_at + context.clock() - began)
    metrics.ACCEPTED.inc(len(new))
    reach(FaultPoint.SUBMIT_COMMITTED)
    return Kept(new, [FollowUp(Task.CREATE) for _ in new], paying.names)


def _is_first(tx: Transaction, once: Once, new: Sequence[Job]) -> bool:
    ids = [job.id for job in new]
    return idempotency.use_once(tx, once.tenant_id, once.key, once.fingerprint, ids)


def found_earlier(context: Context, once: Once) -> Kept | None:
    """What an earlier request with this key kept, if there was one. Raises KeyReused and Gone."""
    with context.store.read() as tx:
        return _earlier(tx, once)


def _earlier(tx: Transaction, once: Once) -> Kept | None:
    used = idempotency.get(tx, once.tenant_id, once.key)
    if used is None:
        return None
    if used.fingerprint != once.fingerprint:
        raise KeyReused("the Idempotency-Key was used for another request")
    there = job_lists.several(tx, once.tenant_id, used.job_ids)
    if len(there) < len(used.job_ids):
        raise Gone("jobs that this Idempotency-Key made are not kept any more", hint="use a new key")
    return Kept(there, [], replayed=True)


def _in_between() -> NoReturn:
    raise StoreError("the Idempotency-Key was forgotten in this moment", hint="ask again")


class _Accounts:
    """Which accounts new jobs are made with, each looked up once."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._found: dict[tuple[str, str | None], Paying] = {}
        self.names: dict[str, str] = {}

    def of(self, one: Submission) -> str:
        """The id. Raises Misshapen where the tenant has no account of that name."""
        if one.account_id is not None:
            self.names |= accounts.names(self._tx, [one.account_id])
            return one.account_id
        named = one.tenant_id, one.account
        if named not in self._found:
            try:
                self._found[named] = accounts.for_tenant(self._tx, *named)
            except NotFound as error:
                raise Misshapen([Place(f"{one.place}account", error.message)], hint=error.hint) from error
        found = self._found[named]
        self.names[found.id] = found.name
        return found.id


def _job(context: Context, one: Submission, routes: tuple[Route, ...], paying: _Accounts, now: float) -> Job:
    made = job_id(context.new_id())
    deadline = one.deadline_seconds or context.settings.deadline_seconds
    return Job(
        id=made,
        tenant_id=one.tenant_id,
        account_id=paying.of(one),
        request=one.request,
        state=State.ACCEPTED,
        state_since=now,
        session_id=session_of(made, 0),
        accepted_at=now,
        deadline_at=now + deadline,
        updates=one.updates or Updates(context.settings.updates),
        destinations=routes,
        reference=one.reference,
        end_user=one.end_user,
        retry_of=one.retry_of,
        traceparent=one.traceparent,
        metadata=one.metadata,
        due_at=now,
    )


def _checked(context: Context, wanted: Sequence[Submission]) -> list[tuple[Route, ...]]:
    """Where the results of each go. Raises RequestError for what is not sound."""
    require_sound(wanted)
    found = []
    for one in wanted:
        try:
            found.append(_routes(context, one))
        except RequestError as error:
            if not one.place:
                raise
            raise Misshapen([Place(f"{one.place}destinations", error.message)], hint=error.hint) from error
    return found


def _routes(context: Context, one: Submission) -> tuple[Route, ...]:
    """Where this job's results go. Raises RequestError."""
    if one.destinations is None:
        routes = context.destinations.defaults(one.tenant_id)
    else:
        there = context.destinations.of_tenant(one.tenant_id)
        routes = tuple(_route(there, route) for route in one.destinations)
    names = [route.destination for route in routes]
    if len(set(names)) < len(names):
        raise RequestError("a destination is named twice", hint="name each once, with all it is to get")
    if any(route.link for route in routes) and context.link("", 0) is None:
        raise RequestError(
            "links to outputs cannot be signed: there is no key",
            hint="`orchestrator secrets new-key` makes one; set it as ORCHESTRATOR_SECRET_KEYS",
        )
    return routes


def _route(known: Mapping[str, Destination], wanted: Route | str) -> Route:
    name = wanted if isinstance(wanted, str) else wanted.destination
    there = known.get(name)
    if there is None:
        names = ", ".join(sorted(known)) or "none"
        raise RequestError(f"there is no destination {name!r}", hint=f"destinations: {names}")
    if isinstance(wanted, str):
        return there.route
    if not wanted.link and not there.sink.takes_files:
        raise RequestError(f"the destination {name!r} takes no files", hint="let it have links instead")
    return wanted
