"""A believed webhook: remembered, and brought to its job, in one transaction (design 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any

from orchestrator.core.job import Job, Observation, job_of_session
from orchestrator.engine import spans
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.engine.observe import observe_held
from orchestrator.gateway.webhooks import Delivery, parse
from orchestrator.store import inbox, jobs, observations
from orchestrator.store.database import Transaction
from orchestrator.store.inbox import Entry, EntryState
from orchestrator.telemetry import Event, log

KEPT_HEADERS = ("x-phaseo-", "x-ai-stats-", "content-type", "user-agent")
KEPT_HEADER_LENGTH = 300


class Fate(StrEnum):
    """What became of a delivery."""

    APPLIED = "applied"  # it reached its job
    WAITING = "waiting"  # remembered: no job of this account is known by that id yet
    IGNORED = "ignored"  # remembered: not about a video job
    REJECTED = "rejected"  # not believed, or not readable
    CHECKED = "checked"  # not from the gateway: `orchestrator check` asks whether its way leads here


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a delivery; `reason` says why it was rejected. `job` is as it was before."""

    fate: Fate
    follow_ups: tuple[FollowUp, ...] = ()
    reason: str | None = None
    entry_id: int | None = None
    job: Job | None = None


@dataclass(frozen=True, slots=True)
class Believed:
    """A delivery that was verified and read."""

    account: str
    headers: Mapping[str, str]
    body: bytes
    delivery: Delivery


Chosen = Sequence[tuple[Believed, Job | None]]  # each with its job, held; None where none of ours is known


def take(context: Context, tx: Transaction, believed: Believed) -> Receipt:
    """Remember a believed delivery, once by its event, and bring it to its job."""
    job = hold_job_of(tx, believed.account, believed.delivery)
    return take_all(context, tx, [(believed, job)])[0]


def take_all(context: Context, tx: Transaction, chosen: Chosen) -> list[Receipt]:
    """The same of several, each about another event and another job."""
    if not chosen:
        return []
    kept = inbox.remember_all_once(tx, [_entry(one, job) for one, job in chosen])
    told = [(one.delivery, job, *entry) for (one, job), entry in zip(chosen, kept, strict=True)]
    receipts = _bring_all(context, tx, told)
    for (delivery, job, entry_id, first), receipt in zip(told, receipts, strict=True):
        facts: dict[str, Any] = {
            "type": delivery.type,
            "fate": receipt.fate,
            "entry": entry_id,
            "first": first,
        }
        facts |= {"gateway_id": delivery.gateway_id} | (spans.traced(context, job) if job else {})
        said = partial(log, Event.WEBHOOK_RECEIVED, job=job.id if job else None, **facts)
        tx.after_commit.append(said)
    return receipts


def _entry(one: Believed, job: Job | None) -> dict[str, Any]:
    delivery = one.delivery
    return {
        "account_id": one.account,
        "event_key": _event_key(delivery),
        "type": delivery.type[:100],
        "gateway_id": delivery.gateway_id,
        "session_id": delivery.session_id,
        "state": _state(delivery, job),
        "job_id": job.id if job else None,
        "headers": kept_headers(one.headers),
        "body": one.body,
    }


def _event_key(delivery: Delivery) -> str:
    return delivery.event_key[:300]


def take_again(context: Context, tx: Transaction, entry: Entry) -> Receipt:
    """Bring an entry that was remembered before to its job, if that is known by now."""
    delivery = parse(entry.body)
    job = hold_job_of(tx, entry.account_id, delivery)
    inbox.settle(tx, entry.id, _state(delivery, job), job.id if job else None)
    return _bring(context, tx, entry.id, delivery, job, first=False)


def match(context: Context, tx: Transaction, entry: Entry) -> tuple[FollowUp, ...]:
    """Bring an entry that waited to its job, which is known by now."""
    delivery = parse(entry.body)
    job = hold_job_of(tx, entry.account_id, delivery)
    if job is None or not inbox.match_if_waiting(tx, entry.id, job.id):
        return ()
    # Delivered again in the very moment in which its job became known, it was brought there already.
    told = any(one.inbox_id == entry.id for one in observations.of_job(tx, job.id))
    return _bring(context, tx, entry.id, delivery, job, first=not told).follow_ups


def _bring(
    context: Context, tx: Transaction, entry_id: int, delivery: Delivery, job: Job | None, *, first: bool
) -> Receipt:
    return _bring_all(context, tx, [(delivery, job, entry_id, first)])[0]


def _bring_all(
    context: Context, tx: Transaction, told: Sequence[tuple[Delivery, Job | None, int, bool]]
) -> list[Receipt]:
    """Bring entries to their jobs, which are held: each is given with its id, and whether it is new."""
    heard = [
        (job, replace(said_again(delivery, entry_id), repeated=not first))
        for delivery, job, entry_id, first in told
        if job is not None and delivery.observation is not None
    ]
    follow_ups = iter(observe_held(context, tx, heard))
    receipts = []
    for delivery, job, entry_id, _ in told:
        fate = fate_of(delivery, job)
        if fate is Fate.APPLIED:
            receipts.append(Receipt(fate, tuple(next(follow_ups)), entry_id=entry_id, job=job))
        else:
            receipts.append(Receipt(fate, entry_id=entry_id))
    return receipts


def said_again(delivery: Delivery, entry_id: int | None) -> Observation:
    """What a delivery says about its job, when it is brought there not for the first time."""
    assert delivery.observation is not None
    return replace(delivery.observation, gateway_id=delivery.gateway_id, inbox_id=entry_id, repeated=True)


def fate_of(delivery: Delivery, job: Job | None) -> Fate:
    """What becomes of a believed delivery whose job this is."""
    return Fate(_state(delivery, job))


def _state(delivery: Delivery, job: Job | None) -> EntryState:
    if delivery.observation is None:
        return EntryState.IGNORED
    return EntryState.WAITING if job is None else EntryState.APPLIED


def hold_job_of(tx: Transaction, account: str, delivery: Delivery) -> Job | None:
    """The job of this account that a delivery is about; a delivery never reaches another account's.

    It is held before the inbox is touched: whoever keeps a create's answer takes the two in that order.
    """
    job = jobs.lock_by_gateway_id(tx, account, delivery.gateway_id)
    if job is None and delivery.session_id:
        named = jobs.by_session(tx, account, delivery.session_id)
        job = named and jobs.lock(tx, named.id)
    return job


def hold_free(tx: Transaction, believed: Mapping[int, Believed]) -> dict[int, tuple[Believed, Job]]:
    """Those about a job that nobody else holds, with it; the first about each job and of each event."""
    first: dict[tuple[str, str], int] = {}
    events: set[tuple[str, str]] = set()
    for number, one in believed.items():
        about, event = (one.account, one.delivery.gateway_id), (one.account, _event_key(one.delivery))
        if about not in first and event not in events:
            first[about] = number
            events.add(event)
    found = {}
    for account in sorted({account for account, _ in first}):
        ids = [gateway_id for whose, gateway_id in first if whose == account]
        for gateway_id, job in jobs.hold_free_of_gateway(tx, account, ids).items():
            number = first[account, gateway_id]
            found[number] = (believed[number], job)
    others = {number: believed[number] for number in first.values() if number not in found}
    return found | _hold_free_early(tx, others)


def _hold_free_early(tx: Transaction, others: Mapping[int, Believed]) -> dict[int, tuple[Believed, Job]]:
    """Those that came before the answer to the create of their job, whose session they name."""
    named: dict[str, int] = {}
    for number, one in others.items():
        if one.delivery.session_id:
            named.setdefault(job_of_session(one.delivery.session_id), number)
    found = {}
    for job_id, job in jobs.hold_free(tx, named.keys()).items() if named else ():
        one = others[named[job_id]]
        # A job that is known there by another id is for whoever does it alone.
        if job.account_id == one.account and job.gateway_id in (None, one.delivery.gateway_id):
            found[named[job_id]] = (one, job)
    return found


def job_of(tx: Transaction, account: str, delivery: Delivery) -> Job | None:
    """The job of this account that a delivery is about, by the gateway's id or by its create's session."""
    job = jobs.by_gateway_id(tx, account, delivery.gateway_id)
    if job is None and delivery.session_id:
        job = jobs.by_session(tx, account, delivery.session_id)
    return job


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Those that are kept, no longer than anything that is meant so."""
    return {
        name[:100]: value[:KEPT_HEADER_LENGTH]
        for name, value in headers.items()
        if name.startswith(KEPT_HEADERS)
    }
