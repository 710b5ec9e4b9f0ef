"""Whether a job ended as its case declares, by the path it declares; what is not so, as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.job import HandOff, HandOffKind, HandOffState
from orchestrator.demo.cases import Case, Expected
from orchestrator.demo.evidence import Evidence
from orchestrator.engine.standing import Standing


def problems(case: Case, found: Evidence) -> list[str]:
    """Everything that is not as it must be."""
    return [
        *_end(case.expected, found.standing),
        *_counts(case.expected, found),
        *_order(case.expected, found),
        *_reason(case.expected, found.standing),
        *_hand_offs(case.expected, found),
    ]


def _end(expected: Expected, standing: Standing) -> Iterator[str]:
    job = standing.job
    if job.state is not expected.state:
        yield f"it is {job.state}, not {expected.state}"
    elif job.won_by is not expected.won_by:
        yield f"it was won by {job.won_by}, not by {expected.won_by}"
    if not standing.over:
        yield "it is not over"


def _counts(expected: Expected, found: Evidence) -> Iterator[str]:
    job = found.standing.job
    for name, value, (least, most) in (
        ("looks", job.looks, expected.looks),
        ("webhooks", job.webhooks, expected.webhooks),
    ):
        if not least <= value <= most:
            bound = str(least) if least == most else f"{least} to {most}"
            yield f"{value} {name}, not {bound}"
    if found.gets is not None and found.gets != job.looks:
        yield f"the gateway was asked {found.gets} times, and {job.looks} looks are counted"
    if expected.events is not None and len(found.entries) != expected.events:
        yield f"{len(found.entries)} different events, not {expected.events}"


def _order(expected: Expected, found: Evidence) -> Iterator[str]:
    came = [one.type for one in found.entries]
    if expected.out_of_order and came[-1:] != ["video.created"]:
        yield f"webhooks came in the order {', '.join(came) or 'none'}: `video.created` had to be the last"


def _reason(expected: Expected, standing: Standing) -> Iterator[str]:
    job = standing.job
    if expected.reason is None:
        return
    message = str((job.failure or {}).get("message"))
    if expected.reason not in message:
        yield f"the reason is {message!r}, without {expected.reason!r}"
    if not job.request_id:
        yield "there is no gateway request id"


def _hand_offs(expected: Expected, found: Evidence) -> Iterator[str]:
    owed = found.standing.hand_offs
    outputs = [one for one in owed if one.kind is HandOffKind.OUTPUT]
    if len(outputs) != expected.files:
        yield f"{len(outputs)} files owed, not {expected.files}"
    if not expected.files and not owed:
        yield "its outcome is not owed to anybody"
    if len({one.sha256 for one in outputs}) != len(outputs):
        yield "two outputs are the same"
    for one in owed:
        if one.kind is HandOffKind.ARCHIVE and one.state is not HandOffState.DONE:
            yield f"output {one.output_index} is not in the archive"
        elif one.kind is not HandOffKind.ARCHIVE:
            yield from _hand_off(one, found)


def _hand_off(one: HandOff, found: Evidence) -> Iterator[str]:
    if one.state is not HandOffState.DONE:
        yield f"hand-off {one.key} is {one.state}" + (f": {one.last_error}" if one.last_error else "")
        return
    name, file = Path(str(one.location)).name, found.files.get(str(one.location))
    if file is None:
        yield f"{name} is not there"
    elif (file.bytes, file.sha256) != (one.bytes, one.sha256):
        yield f"{name} is not what the database says: {file.bytes} bytes, {one.bytes} said"
    elif one.output_index is not None and file.sha256 != found.served.get(one.output_index):
        yield f"{name} is not what the gateway serves"
