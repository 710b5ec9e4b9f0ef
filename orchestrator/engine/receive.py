"""A webhook: verified, remembered and applied in one transaction, before anybody answers it (design 8)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from orchestrator import metrics
from orchestrator.core.blame import Fault, Met
from orchestrator.core.job import Job
from orchestrator.core.signatures import Refusal, verify
from orchestrator.core.tracing import Part
from orchestrator.engine import spans
from orchestrator.engine.context import Context
from orchestrator.engine.take import (
    Believed,
    Chosen,
    Fate,
    Receipt,
    hold_free,
    hold_job_of,
    kept_headers,
    take_all,
)
from orchestrator.errors import NotFound
from orchestrator.fault_points import FaultPoint, reach
from orchestrator.gateway import drift
from orchestrator.gateway.webhooks import BadDelivery, parse
from orchestrator.store import faults, inbox, jobs, workers
from orchestrator.store.database import Transaction
from orchestrator.telemetry import Event, log

KEPT_BYTES = 8 * 1024  # of a rejected body
UNREADABLE = "unreadable"
CHECK = b'{"type":"orchestrator.check"'  # what a body begins with that `orchestrator check` signed and sent


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request to `account`, as it came in at `now` by the wall clock. `headers` has lower-case names."""

    account: str
    headers: Mapping[str, str]
    body: bytes
    now: float


def receive(context: Context, account: str, headers: Mapping[str, str], body: bytes, now: float) -> Receipt:
    """Take a delivery to `account`. `headers` has lower-case names; `now` is the wall clock.

    When this returns, everything it says is committed. Raises NotFound where there is no such account.
    """
    began = context.clock()
    incoming = Incoming(account, headers, body, now)
    found = _believe(context, incoming)
    if found is None:
        return Receipt(Fate.CHECKED)
    if isinstance(found, Believed):
        believed = found
        return _keep(context, began, lambda tx: [(believed, hold_job_of(tx, account, believed.delivery))])[0]
    reason, detail = found
    if reason == UNREADABLE:  # by whoever has the secret
        context.drifts.see(drift.of_unreadable_delivery(detail), None)
    _keep_rejected(context, account, reason, detail, headers, body)
    metrics.REJECTED.labels(reason).inc()
    return _counted(context, began, Receipt(Fate.REJECTED, reason=reason))


def receive_together(context: Context, together: Sequence[Incoming]) -> list[Receipt | None]:
    """Take deliveries in one transaction, as far as they can share one; that is committed then.

    None: nothing was done, it is for `receive`. It is not to be believed, or is about a job that is unknown,
    or that somebody else holds, or that another of these is about.
    """
    began = context.clock()
    believed = {number: one for number, one in enumerate(_read(context, together)) if one is not None}
    chosen: dict[int, tuple[Believed, Job]] = {}

    def choose(tx: Transaction) -> Chosen:
        chosen.update(hold_free(tx, believed))
        return list(chosen.values())

    kept = _keep(context, began, choose) if believed else []
    receipts = dict(zip(chosen, kept, strict=True))
    return [receipts.get(number) for number in range(len(together))]


def _read(context: Context, together: Sequence[Incoming]) -> Iterator[Believed | None]:
    for incoming in together:
        try:
            found = _believe(context, incoming)
        except NotFound:
            found = None
        yield found if isinstance(found, Believed) else None


def _keep(context: Context, began: float, choose: Callable[[Transaction], Chosen]) -> list[Receipt]:
    """Take what is chosen, in one transaction."""
    with context.store.write() as tx:
        began_at = tx.now - (context.clock() - began)
        chosen = choose(tx)
        receipts = take_all(context, tx, chosen)
        for one, _ in chosen:
            seen = (*one.delivery.unforeseen, *drift.of_webhook_headers(one.headers))
            tx.after_commit.append(partial(context.drifts.see, seen, one.delivery.gateway_id))
        if chosen:
            reach(FaultPoint.RECEIVE_APPLIED)
    if chosen:
        reach(FaultPoint.RECEIVE_COMMITTED)
    ended_at = began_at + (context.clock() - began)
    for (one, _), receipt in zip(chosen, receipts, strict=True):
        _counted(context, began, receipt)
        if receipt.job is not None:
            name = f"{receipt.entry_id}/{receipt.job.webhooks}"
            spans.tell(context, receipt.job, Part.WEBHOOK, name, began_at, ended_at, type=one.delivery.type)
    return receipts


def _counted(context: Context, began: float, receipt: Receipt) -> Receipt:
    metrics.WEBHOOKS.labels(receipt.fate).observe(context.clock() - began)
    return receipt


def prove_ready(context: Context) -> None:
    """Write a row and take it back, as a webhook's would be written. Raises StoreError when that cannot be.

    The row is nobody else's: of one that all shared, a process that froze here would bar the others.
    """
    probe = context.new_id()
    with context.store.write(durable=False) as tx:
        workers.join(tx, probe, host="", pid=0)
        workers.leave(tx, probe)


def _believe(context: Context, incoming: Incoming) -> Believed | tuple[str, str] | None:
    """What was delivered, or why it is refused; None for a check, of which nothing is kept."""
    account, headers, body = incoming.account, incoming.headers, incoming.body
    live = context.webhook_secrets.get(account)
    if live is None:
        raise NotFound("there is no such account")
    secrets = [secret.get_secret_value() for secret in live]
    verified = verify(headers, body, secrets, now=incoming.now)
    if isinstance(verified, Refusal):
        return verified, _EXPLAINED[verified]
    if body.startswith(CHECK):
        return None
    try:
        return Believed(account, headers, body, parse(body))
    except BadDelivery as error:
        return UNREADABLE, error.message


_EXPLAINED = {
    Refusal.NO_SIGNATURE: "a signature or timestamp header is missing",
    Refusal.BAD_TIMESTAMP: "the timestamp header is not a time",
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
    named: Job | None = None
    try:
        if settings.rejected_keep:
            with context.store.write() as tx:
                named = _blame_signature(tx, account, detail, body)  # jobs are held before anything else is
                rejected = {
                    "account_id": account,
                    "reason": reason,
                    "detail": detail,
                    "headers": kept_headers(headers),
                    "body": body[:KEPT_BYTES],
                    "truncated": len(body) > KEPT_BYTES,
                }
                inbox.reject(tx, rejected, keep=settings.rejected_keep)
    finally:  # told also where it could not be kept
        told = {"account": account, "reason": reason, "detail": detail}
        log(Event.WEBHOOK_REJECTED, job=named.id if named else None, level=logging.WARNING, **told)


def _blame_signature(tx: Transaction, account: str, detail: str, body: bytes) -> Job | None:
    """Of the job that an unbelieved delivery names, if it is one: anybody may have written that."""
    try:
        named = jobs.by_gateway_id(tx, account, parse(body).gateway_id)
    except BadDelivery:
        return None
    job = named and jobs.lock_if_there(tx, named.id)
    if job is not None:
        faults.note(tx, job, Met(Fault.SIGNATURE_REJECTED, f"a delivery that names this job: {detail}"))
    return job
