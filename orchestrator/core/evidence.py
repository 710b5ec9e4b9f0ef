"""Which fault is shown by what was seen, and the evidence for it in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.core.blame import Fault, Met
from orchestrator.core.job import HookTold, Job, Observation, Source
from orchestrator.core.lifecycle import Seen, State, Step, Verdict
from orchestrator.errors import GatewayError

NOT_SENT_AFTER = (
    360.0  # seconds after an end by which the gateway's five-minute tick sent what was to be sent
)
TRIES = 4  # that the gateway makes of each webhook (contract 4.4)
NOT_BELIEVED = 401  # what our receiver answers to a signature that it does not believe
_SERVER_FAULTS = frozenset({"db_error", "server_misconfig_missing_pepper"})  # shown as 401 (contract 1)


def of_end(job: Job) -> Met | None:
    """What shows whose doing a job's end is; None where it has no blame. Uncertain ones have not ended."""
    if job.blame is None:
        return None
    said = _said(job)
    if job.blame is Fault.CALLER:
        return Met(job.blame, "cancelled before the gateway made anything of it", job.request_id)
    if job.blame is Fault.UNCERTAIN_CREATE:
        return Met(job.blame, _lost(said), job.request_id)
    if job.blame is Fault.DEADLINE:
        return Met(job.blame, "; ".join(_never_told(job)), job.request_id)
    told = f"{job.state}: {said or 'no reason was given'}"
    return Met(job.blame, told, job.request_id)


def on_the_way(job: Job, seen: Observation, step: Step, now: float) -> Iterator[Met]:
    """The faults that an observation shows, besides that of an end; `job` as it was before it."""
    if step.verdict is Verdict.MOVED and step.to is State.UNCERTAIN:
        why = seen.failure.message if seen.failure else seen.note
        yield Met(Fault.UNCERTAIN_CREATE, _lost(why), seen.request_id)
    if seen.seen is Seen.NO_JOB and seen.blame is Fault.GATEWAY_ERROR and seen.failure:
        yield Met(Fault.GATEWAY_ERROR, f"the create was answered: {seen.failure.message}", seen.request_id)
    of_hook = seen.hook and seen.source is not Source.CREATE and of_webhook(seen.hook, seen.ended_at, now)
    if of_hook:
        yield of_hook


def of_webhook(told: HookTold, ended_at: float | None, now: float) -> Met | None:
    """What a status answer shows of the webhook that tells the end; None where nothing is wrong yet."""
    if told.delivered:
        return None
    if not told.tries:
        since = None if ended_at is None else now - ended_at
        if since is None or since < NOT_SENT_AFTER:
            return None
        return Met(Fault.HOOK_NOT_SENT, f"{since:.0f} s after the end the gateway shows no try of a webhook")
    seen = refusals(told)
    if told.tries >= TRIES and told.next_try_at is None:
        return Met(Fault.HOOK_EXHAUSTED, f"{seen}; no further try is planned")
    if told.last_status == NOT_BELIEVED:
        return Met(
            Fault.SIGNATURE_REJECTED, f"{seen}: what our receiver says to a signature it cannot believe"
        )
    return Met(Fault.HOOK_REFUSED_BY_US, seen)


def refusals(told: HookTold) -> str:
    """What came of a webhook that did not arrive, as the gateway shows it."""
    answer = "no answer" if told.last_status is None else f"HTTP {told.last_status}"
    error = f" ({told.last_error})" if told.last_error else ""
    tries = "1 try" if told.tries == 1 else f"{told.tries} tries"
    return f"the gateway shows {tries} of a webhook, the last one answered by our side with {answer}{error}"


def of_missed_webhook(told: str | None, patience: float, *, nobody_listened: bool) -> Met:
    """What an end shows whose webhook did not come. `told`: what the gateway said of it, in a few words."""
    missed = f"no webhook came within {patience:.0f} s of the end"
    if nobody_listened:
        return Met(Fault.HOOK_REFUSED_BY_US, f"{missed}: our receiver was away at that time")
    said = f"; when a look found the end, the gateway said of it: {told}" if told else ""
    return Met(Fault.HOOK_NOT_SENT, missed + said)


def of_failed_look(error: GatewayError) -> Met:
    """Whether the gateway itself erred, or the status of this job alone could not be had."""
    itself = error.status == 500 or (error.status == 401 and error.reason in _SERVER_FAULTS)
    fault = Fault.GATEWAY_ERROR if itself else Fault.POLL_FAULT
    return Met(fault, f"a look failed: {error.message}", error.request_id)


def _lost(why: str | None) -> str:
    return f"nobody could say whether the create call had made a job: {why or 'its answer was lost'}"


def _said(job: Job) -> str:
    failure = job.failure or {}
    code = f" (code {failure['code']})" if failure.get("code") else ""
    return f"{failure['message']}{code}" if failure.get("message") else ""


def _never_told(job: Job) -> Iterator[str]:
    yield f"nobody told how it ended within {job.deadline_at - job.accepted_at:.0f} s"
    yield (
        f"the gateway's last word was {job.gateway_status}" if job.gateway_status else "it was never created"
    )
    if job.created_at is not None:
        yield f"{job.looks} looks were sent, {job.webhooks} webhooks came"
    if job.look_errors:
        yield f"the last {job.look_errors} looks failed: {job.look_error}"
    if said := _said(job):
        yield said
