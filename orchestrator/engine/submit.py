"""Keeping a job: from here on it cannot be lost."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from orchestrator import metrics
from orchestrator.core.ids import job_id
from orchestrator.core.job import Job, Updates, session_of
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import Route
from orchestrator.core.tracing import Part
from orchestrator.engine import spans, unkept
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
    took: tuple[float, float] = (0.0, 0.0)  # from when to when it was kept, by the database's clock


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


def keep_together(
    context: Context, requests: Sequence[tuple[Submission, Once | None]], *, by_itself: bool = False
) -> list[Kept | None]:
    """Keep the jobs of several requests in one transaction; `tell` is still to be called for each.

    None: nothing was done, that request is for `keep`. It is not sound, or its key was used before, or
    something failed before the commit: then another of them may be to blame, unless it came `by_itself`,
    which is told at once. What fails at the commit, or after it, is raised: jobs may be kept.
    """
    began = context.clock()
    sound = {number: routes for number, (one, _) in enumerate(requests) if (routes := _sound(context, one))}
    if not sound:
        return [None] * len(requests)
    committing = False
    try:
        with context.store.write() as tx:
            began_at = tx.now - (context.clock() - began)
            paying = _Accounts(tx)
            made = _make(context, tx, requests, sound, paying)
            committing = True
    except Exception as error:
        if committing or by_itself:
            raise
        kind = type(error).__name__  # its words are told by the request that meets it alone
        log(Event.COMMIT_SPLIT, level=logging.WARNING, error=kind, requests=len(requests))
        return [None] * len(requests)
    took = (began_at, began_at + context.clock() - began)
    kept = {number: _kept([job], paying, took) for number, job in made.items()}
    return [kept.get(number) for number in range(len(requests))]


def _make(
    context: Context,
    tx: Transaction,
    requests: Sequence[tuple[Submission, Once | None]],
    sound: Mapping[int, list[tuple[Route, ...]]],
    paying: _Accounts,
) -> dict[int, Job]:
    made = {}
    # In one order: of two transactions that wait for each other's keys, one would have to give up.
    for number in sorted(sound, key=lambda number: _key(requests[number][1])):
        one, once = requests[number]
        try:
            job = _job(context, one, sound[number][0], paying, tx.now)
        except RequestError:
            continue
        if once is None or _is_first(tx, once, [job]):
            made[number] = job
    jobs.add(tx, list(made.values()))
    events.append_first(tx, list(made.values()))
    return made


def _key(once: Once | None) -> tuple[str, str]:
    return (once.tenant_id, once.key) if once else ("", "")


def _sound(context: Context, one: Submission) -> list[tuple[Route, ...]] | None:
    try:
        return _checked(context, [one])
    except RequestError:
        return None


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
    kept = _kept(new, paying, (began_at, began_at + context.clock() - began))
    tell(context, kept)
    return kept


def _kept(new: list[Job], paying: _Accounts, took: tuple[float, float]) -> Kept:
    return Kept(new, [FollowUp(Task.CREATE) for _ in new], paying.names, took=took)


def tell(context: Context, kept: Kept) -> None:
    """Log, count and trace what a request kept, in the context of that request."""
    for job in kept.jobs:
        log(Event.JOB_ACCEPTED, job=job.id, **spans.traced(context, job))
        spans.tell(context, job, Part.SUBMIT, "", *kept.took)
    metrics.ACCEPTED.inc(len(kept.jobs))
    reach(FaultPoint.SUBMIT_COMMITTED)


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
        raise Gone("the jobs that this Idempotency-Key made were purged", hint="use a new key")
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
    if not context.settings.keep_outputs:
        unkept.require_askable(routes)
    elif any(route.link for route in routes) and context.link("", 0) is None:
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
