"""A job as a page of text, or as a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from orchestrator.cli.screen import ago, moment, print_table, text
from orchestrator.cli.words import WAYS_OUT, doing, next_look
from orchestrator.core.blame import Finding
from orchestrator.core.job import HandOff, HandOffState, Job, Output
from orchestrator.core.learned.paces import Why
from orchestrator.core.lifecycle import SETTLED
from orchestrator.core.support import title
from orchestrator.engine.standing import Standing
from orchestrator.engine.why import SHORT
from orchestrator.store.attempts import Attempt
from orchestrator.store.observations import Recorded


def as_document(
    found: Standing,
    timeline: Sequence[Recorded],
    tries: Sequence[Attempt],
    findings: Sequence[Finding],
    *,
    raw: bool,
) -> dict[str, Any]:
    """Everything, for programs."""
    rows = [asdict(one) for one in timeline]
    for row in rows:
        if not raw:
            del row["raw"]
    return {
        "job": asdict(found.job),
        "over": found.over,
        "held": found.held,
        "timeline": rows,
        "outputs": [asdict(one) for one in found.outputs],
        "hand_offs": [asdict(one) for one in found.hand_offs],
        "attempts": [asdict(one) for one in tries],
        "findings": [asdict(one) for one in findings],
    }


def print_page(
    found: Standing,
    timeline: Sequence[Recorded],
    tries: Sequence[Attempt],
    findings: Sequence[Finding],
    *,
    raw: bool,
    why: Why | None = None,
) -> None:
    """Everything, for people."""
    job = found.job
    won = f", won by {job.won_by}" if job.won_by else ""
    print(f"{job.id}  {job.state}{won}\n{doing(found)}\n")
    facts = [(name, value) for name, value in _facts(found, why) if value not in (None, "")]
    for name, value in facts:
        print(f"  {name:<16}{text(value)}")
    if job.needs_person:
        _print_ways_out(job)
    _print_findings(job, findings)
    _print_timeline(job, timeline, tries, raw=raw)
    _print_outputs(found)
    for one in found.hand_offs:
        _print_hand_off(one)


def _facts(found: Standing, why: Why | None) -> Iterator[tuple[str, Any]]:
    job = found.job
    yield "reference", job.reference
    yield "metadata", job.metadata or None
    yield "prompt", job.request.get("prompt")
    yield (
        "model",
        f"{job.model or job.request.get('model')}" + (f" at {job.provider}" if job.provider else ""),
    )
    yield "gateway id", job.gateway_id
    yield "gateway says", job.gateway_status
    yield "request id", job.request_id
    yield "session id", job.session_id
    yield "accepted", f"{moment(job.accepted_at)} ({ago(found.now - job.accepted_at)} ago)"
    yield "settled", job.settled_at and f"{job.settled_at - job.accepted_at:.1f} s later"
    yield "deadline", None if job.state in SETTLED else f"in {ago(job.deadline_at - found.now)}"
    yield "next", None if found.over else next_look(found) + (f": {SHORT[why]}" if why else "")
    yield "progress", None if job.state in SETTLED else f"{job.progress} %"
    yield "error", job.failure and job.failure["message"]
    yield "error code", job.failure and job.failure.get("code")
    yield "blame", job.blame
    yield "create calls", job.attempts or None
    yield "looks", job.looks
    yield (
        "look errors",
        f"{job.look_errors} in a row, the last: {job.look_error}" if job.look_errors else None,
    )
    yield (
        "webhooks",
        f"{job.webhooks}" + (" (the gateway refused our endpoint)" if job.without_webhook else ""),
    )
    yield "clashes", job.clashes or None
    yield "cost", None if job.cost_usd is None else f"${job.cost_usd:.4f}"
    yield (
        "cancelled",
        job.cancel_requested_at and "you cancelled it: what had not been handed off by then is withdrawn",
    )


def _print_ways_out(job: Job) -> None:
    print("\nA person must decide. The create call was sent and its answer lost; three ways out:")
    for option, meaning in WAYS_OUT:
        print(f"  orchestrator resolve {job.id} {option}\n      {meaning}")


def _print_findings(job: Job, findings: Sequence[Finding]) -> None:
    for one in findings:
        what = "the reason" if one.of_end else "on the way"
        times = f", {one.times} times" if one.times > 1 else ""
        print(f"\n{one.fault} ({what}{times}): {title(one.fault)}\n  {text(one.evidence)}")
        if one.overcome:
            print(f"  since then: {text(one.overcome)}")
    if findings:
        print(f"  text for a support request: orchestrator show {job.id} --support")


def print_support(findings: Sequence[Finding]) -> None:
    """What to paste, and nothing else."""
    for number, one in enumerate(findings):
        if number:
            print(f"\n{'-' * 40}\n")
        for line in one.text_for_support.split("\n"):
            print(text(line))
    if not findings:
        print("nothing went wrong with this job")


def _print_timeline(job: Job, timeline: Sequence[Recorded], tries: Sequence[Attempt], *, raw: bool) -> None:
    print("\ntimeline")
    learned = [
        (one.at, (one.source, one.seen, one.verdict, one.to_state, _details(one, job))) for one in timeline
    ]
    brought = [(one.ended_at, ("hand-off", *_try(one))) for one in tries]
    both = sorted([*learned, *brought], key=lambda one: one[0])
    rows = [(f"+{at - job.accepted_at:.2f} s", *cells) for at, cells in both]
    print_table(("time", "source", "seen", "verdict", "state", "details"), rows, right=("time",), fold=True)
    for one in timeline if raw else ():
        if one.raw:
            print(f"\nraw of {one.seq} ({one.source}, {one.seen})")
            for line in one.raw.split("\n"):  # set in, so that none can be taken for a line of ours
                print(f"  {text(line)}")


def _try(one: Attempt) -> tuple[str, str, str, str]:
    """One attempt at a hand-off, in the columns of what was learned."""
    said = [
        one.key,
        one.status and f"HTTP {one.status}",
        one.error,
        one.preview and f"answer: {one.preview}",
        f"took {one.ended_at - one.began_at:.2f} s",
    ]
    return one.destination, f"attempt {one.number}", one.result, ", ".join(str(part) for part in said if part)


def _details(one: Recorded, job: Job) -> str:
    said = [
        one.status and f"says {one.status}",
        one.failure and str(one.failure["message"]),
        one.note,
        f"request {one.request_id}" if one.request_id not in (None, job.request_id) else None,
        one.inbox_id and f"inbox {one.inbox_id}",
    ]
    return ", ".join(part for part in said if part)


def _print_outputs(found: Standing) -> None:
    if not found.outputs:
        return
    print("\noutputs")
    for one in found.outputs:
        size = _size(one)
        print(f"  {one.index}  {text(one.mime_type) or 'type unknown'}, {'missing' if one.missing else size}")
        if one.sha256:
            print(f"     sha256 {one.sha256}")
        if one.elsewhere:
            print(f"     not kept here: the gateway has it, as output {one.index} of its job")
        if one.purged_at:
            print(f"     taken out of the archive {moment(one.purged_at)}")


def _size(one: Output) -> str:
    if one.size is not None:
        return f"{one.size} bytes"
    return "size unknown" if one.elsewhere else "not fetched yet"


def _print_hand_off(one: HandOff) -> None:
    what = f"output {one.output_index}" if one.output_index is not None else f"outcome {one.outcome}"
    tries = "1 attempt" if one.attempts == 1 else f"{one.attempts} attempts"
    print(f"\nhand-off {one.id}: {what} to {text(one.destination)}, {one.state} after {tries}")
    if one.location:
        print(f"  {text(one.location)}")
    if one.last_error:
        print(f"  last error: {text(one.last_error)}")
    if one.state in (HandOffState.DEAD, HandOffState.MISSING):
        print(f"  try again: orchestrator replay --hand-off {one.id}")
