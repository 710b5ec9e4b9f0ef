"""A webhook: verified, remembered and applied in one transaction, before anybody answers it (design 8)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from orchestrator import metrics
from orchestrator.core.blame import Fault, Met
from orchestrator.core.job import Job, Observation
from orchestrator.core.signatures import Refusal, verify
from orchestrator.core.tracing import Part
from orchestrator.engine import spans
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.engine.observe import observe
from orchestrator.errors import NotFound
from orchestrator.fault_points import FaultPoint, reach
from orchestrator.gateway import drift
from orchestrator.gateway.webhooks import BadDelivery, Delivery, parse
from orchestrator.store import faults, inbox, jobs, observations, workers
from orchestrator.store.database import Transaction
from orchestrator.store.inbox import Entry, EntryState
from orchestrator.telemetry import Event, log

KEPT_BYTES = 8 * 1024  # of a rejected body
KEPT_HEADERS = ("x-phaseo-", "x-ai-stats-", "content-type", "user-agent")
KEPT_HEADER_LENGTH = 300
UNREADABLE = "unreadable"
CHECK = b'{"type":"orchestrator.check"'  # what a body begins with that `orchestrator check` signed and sent


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


def receive(context: Context, account: str, headers: Mapping[str, str], body: bytes, now: float) -> Receipt:
    """Take a delivery to `account`. `headers` has lower-case names; `now` is the wall clock.

    When this returns, everything it says is committed. Raises NotFound where there is no such account.
    """
    began = context.clock()
    refused, delivery = _believe(context, account, headers, body, now)
    if delivery is None:
        if refused is None:
            return Receipt(Fate.CHECKED)
        reason, detail = refused
        if reason == UNREADABLE:  # by whoever has the secret
            context.drifts.see(drift.of_unreadable_delivery(detail), None)
        _keep_rejected(context, account, reason, detail, headers, body)
        metrics.REJECTED.labels(reason).inc()
        receipt = Receipt(Fate.REJECTED, reason=reason)
    else:
        receipt = _take(context, account, headers, body, delivery, began)
    metrics.WEBHOOKS.labels(receipt.fate).observe(context.clock() - began)
    return receipt


def _take(
    context: Context, account: str, headers: Mapping[str, str], body: bytes, delivery: Delivery, began: float
) -> Receipt:
    with context.store.write() as tx:
        began_at = tx.now - (context.clock() - began)
        receipt = take(context, tx, account, headers, body, delivery)
        seen = (*delivery.unforeseen, *drift.of_webhook_headers(headers))
        tx.after_commit.append(lambda: context.drifts.see(seen, delivery.gateway_id))
        reach(FaultPoint.RECEIVE_APPLIED)
    reach(FaultPoint.RECEIVE_COMMITTED)
    if receipt.job is not None:
        name = f"{receipt.entry_id}/{receipt.job.webhooks}"
        ended_at = began_at + (context.clock() - began)
        spans.tell(context, receipt.job, Part.WEBHOOK, name, began_at, ended_at, type=delivery.type)
    return receipt


def prove_ready(context: Context) -> None:
    """Write a row and take it back, as a webhook's would be written. Raises StoreError when that cannot be.

    The row is nobody else's: of one that all shared, a process that froze here would bar the others.
    """
    probe = context.new_id()
    with context.store.write(durable=False) as tx:
        workers.join(tx, probe, host="", pid=0)
        workers.leave(tx, probe)


def take(
    context: Context,
    tx: Transaction,
    account: str,
    headers: Mapping[str, str],
    body: bytes,
    delivery: Delivery,
) -> Receipt:
    """Remember a believed delivery, once by its event, and bring it to its job."""
    job = _hold_job_of(tx, account, delivery)
    entry_id, first = inbox.remember_once(
        tx,
        {
            "account_id": account,
            "event_key": delivery.event_key[:300],
            "type": delivery.type[:100],
            "gateway_id": delivery.gateway_id,
            "session_id": delivery.session_id,
            "state": _state(delivery, job),
            "job_id": job.id if job else None,
            "headers": _kept(headers),
            "body": body,
        },
    )
    receipt = _bring(context, tx, entry_id, delivery, job, first=first)
    facts: dict[str, Any] = {"type": delivery.type, "fate": receipt.fate, "entry": entry_id, "first": first}
    if job is not None:
        facts |= spans.traced(context, job)
    known, told = job.id if job else None, {"gateway_id": delivery.gateway_id} | facts
    tx.after_commit.append(lambda: log(Event.WEBHOOK_RECEIVED, job=known, **told))
    return receipt


def take_again(context: Context, tx: Transaction, entry: Entry) -> Receipt:
    """Bring an entry that was remembered before to its job, if that is known by now."""
    delivery = parse(entry.body)
    job = _hold_job_of(tx, entry.account_id, delivery)
    inbox.settle(tx, entry.id, _state(delivery, job), job.id if job else None)
    return _bring(context, tx, entry.id, delivery, job, first=False)


def match(context: Context, tx: Transaction, entry: Entry) -> tuple[FollowUp, ...]:
    """Bring an entry that waited to its job, which is known by now."""
    delivery = parse(entry.body)
    job = _hold_job_of(tx, entry.account_id, delivery)
    if job is None or not inbox.match_if_waiting(tx, entry.id, job.id):
        return ()
    # Delivered again in the very moment in which its job became known, it was brought there already.
    told = any(one.inbox_id == entry.id for one in observations.of_job(tx, job.id))
    return _bring(context, tx, entry.id, delivery, job, first=not told).follow_ups


def _bring(
    context: Context, tx: Transaction, entry_id: int, delivery: Delivery, job: Job | None, *, first: bool
) -> Receipt:
    if delivery.observation is None or job is None:
        return Receipt(fate_of(delivery, job), entry_id=entry_id)
    seen = replace(said_again(delivery, entry_id), repeated=not first)
    return Receipt(Fate.APPLIED, tuple(observe(context, tx, job.id, seen)), entry_id=entry_id, job=job)


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


def _hold_job_of(tx: Transaction, account: str, delivery: Delivery) -> Job | None:
    """The job of this account that a delivery is about; a delivery never reaches another account's.

    It is held before the inbox is touched: whoever keeps a create's answer takes the two in that order.
    """
    job = job_of(tx, account, delivery)
    return job and jobs.lock(tx, job.id)


def job_of(tx: Transaction, account: str, delivery: Delivery) -> Job | None:
    """The job of this account that a delivery is about, by the gateway's id or by its create's session."""
    job = jobs.by_gateway_id(tx, account, delivery.gateway_id)
    if job is None and delivery.session_id:
        job = jobs.by_session(tx, account, delivery.session_id)
    return job


def _believe(
    context: Context, account: str, headers: Mapping[str, str], body: bytes, now: float
) -> tuple[tuple[str, str] | None, Delivery | None]:
    """What was delivered, or why it is refused; neither of a check, of which nothing is kept."""
    live = context.webhook_secrets.get(account)
    if live is None:
        raise NotFound("there is no such account")
    secrets = [secret.get_secret_value() for secret in live]
    verified = verify(headers, body, secrets, now=now)
    if isinstance(verified, Refusal):
        return (verified, _EXPLAINED[verified]), None
    if body.startswith(CHECK):
        return None, None
    try:
        return None, parse(body)
    except BadDelivery as error:
        return (UNREADABLE, error.message), None


_EXPLAINED = {
    Refusal.NO_SIGNATURE: "a signature or timestamp header is missing",
    Refusal.BAD_TIMESTAMP: "the timestamp header is no time",
    Refusal.STALE: "signed more than 300 s from now: an old delivery, or one of the clocks is wrong",
    Refusal.FORGED: "no live secret of the account made this signature",
    Refusal.NO_SECRET: "the account has no webhook secret, or none that can be read: "
    "set ORCHESTRATOR_WEBHOOK_SECRETS, or see `orchestrator accounts list`",
}


def _keep_rejected(
    context: Context, account: str, reason: str, detail: str, headers: Mapping[str, str], body: bytes
) -> None:
    settings = context.settings
    if not context.rejections.allows(account, settings.rejected_per_minute):
        return  # neither kept nor logged: a flood of forgeries fills no disk
    log(Event.WEBHOOK_REJECTED, level=logging.WARNING, account=account, reason=reason, detail=detail)
    if not settings.rejected_keep:
        return
    with context.store.write() as tx:
        _blame_signature(tx, account, detail, body)  # jobs are held before anything else is
        inbox.reject(
            tx,
            {
                "account_id": account,
                "reason": reason,
                "detail": detail,
                "headers": _kept(headers),
                "body": body[:KEPT_BYTES],
                "truncated": len(body) > KEPT_BYTES,
            },
            keep=settings.rejected_keep,
        )


def _blame_signature(tx: Transaction, account: str, detail: str, body: bytes) -> None:
    """Of the job that an unbelieved delivery names, if it is one: anybody may have written that."""
    try:
        named = jobs.by_gateway_id(tx, account, parse(body).gateway_id)
    except BadDelivery:
        return
    job = named and jobs.lock_if_there(tx, named.id)
    if job is not None:
        faults.note(tx, job, Met(Fault.SIGNATURE_REJECTED, f"a delivery that names this job: {detail}"))


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name[:100]: value[:KEPT_HEADER_LENGTH]
        for name, value in headers.items()
        if name.startswith(KEPT_HEADERS)
    }
