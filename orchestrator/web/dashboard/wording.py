"""What rows say of a job, in the words of the pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.core.events import Told
from orchestrator.core.job import HandOffState, Source
from orchestrator.core.lifecycle import Seen, State, Verdict
from orchestrator.engine.dossier import Came, Dossier, Line
from orchestrator.engine.race import HOOK, Race
from orchestrator.engine.standing import Standing
from orchestrator.store.attempts import Attempt, Result
from orchestrator.store.events import Entry
from orchestrator.store.observations import Recorded
from orchestrator.web.dashboard.rendering import sentence, span

GOOD, WARN, BAD = "good", "warn", "bad"
TONES = {
    State.COMPLETED: GOOD,
    State.UNCERTAIN: WARN,
    State.FAILED: BAD,
    State.EXPIRED: BAD,
    State.REJECTED: BAD,
    State.TIMED_OUT: BAD,
    Verdict.MOVED: GOOD,
    Verdict.CLASH: BAD,
    Verdict.LATE: WARN,
    HandOffState.DONE: GOOD,
    HandOffState.DEAD: BAD,
    HandOffState.MISSING: BAD,
}
# Apart, since an attempt that failed is tried again, and a job that failed has ended.
TRIES = {
    Result.DONE: GOOD,
    Result.FAILED: WARN,
    Result.LOST: WARN,
    Result.DEAD: BAD,
    Result.MISSING: BAD,
}
VERDICTS = {
    Verdict.MOVED: "the state changed",
    Verdict.KNOWN: "nothing new",
    Verdict.LATE: "true once, overtaken",
    Verdict.CLASH: "contradicts what is settled",
    Verdict.SCORED: "kept and counted, moves nothing",
}
SEEN = {
    Seen.ATTEMPT: "the gateway is asked to make it",
    Seen.REFUSED: "the create was refused",
    Seen.NO_JOB: "nothing was made: tried again later",
    Seen.LOST: "no answer tells whether it was made",
    Seen.OPEN: "the gateway has it, not ended",
    Seen.COMPLETED: "completed",
    Seen.FAILED_LIVE: "failed, the provider says",
    Seen.CANCELLED_LIVE: "cancelled, the provider says",
    Seen.EXPIRED_LIVE: "expired, the provider says",
    Seen.FAILED_STORED: "failed, the gateway has kept",
    Seen.CANCELLED_STORED: "cancelled, the gateway has kept",
    Seen.EXPIRED_STORED: "expired, the gateway has kept",
    Seen.DEADLINE: "our deadline passed",
    Seen.CANCEL: "wanted no more",
    Seen.ADOPT: "a person says which gateway job it is",
    Seen.RESUBMIT: "a person wants it made again, and may pay twice",
    Seen.GIVE_UP: "a person stops waiting",
}
WINNERS = {
    Source.WEBHOOK: "A webhook",
    Source.POLL: "A look",
    Source.LIST: "The gateway's list, which a look asked,",
    Source.CREATE: "The answer to its create",
    Source.OPERATOR: "A person",
    Source.CLOCK: "Nobody: its deadline",
}
_HAPPENED = {
    Told.ACCEPTED: "kept, and cannot be lost from here on",
    Told.CANCEL: "its caller wants it no more",
    Told.NEEDS_PERSON: "nobody can tell whether the create made a job: a person must decide",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the timeline as it is shown. `tone` is that of the verdict; `raw` what was received."""

    at: float
    source: str
    seen: str
    verdict: str
    tone: str
    state: str
    details: tuple[str, ...]
    request_id: str | None = None
    raw: str | None = None
    number: int | None = None
    inbox_id: int | None = None


def doing(found: Standing) -> str:
    """What happens with a job now, or how it ended, in one sentence."""
    job = found.job
    if job.needs_person:
        return "Nobody can tell whether the gateway made it: a person must settle that."
    if job.state is State.ACCEPTED:
        return f"Kept, and held: {found.held}." if found.held else "Kept, waits for its turn to be created."
    if job.state is State.CREATING:
        return "The gateway is being asked for it."
    if job.state is State.UNCERTAIN:
        return "The answer to its create was lost: it is being found out whether the gateway made it."
    if job.state is State.WAITING:
        if job.unconfirmed:
            return f"A person said that it is the gateway job {job.gateway_id}; no answer confirmed that yet."
        said = f"The gateway says {job.gateway_status}" if job.gateway_status else "The gateway has it"
        return f"{said}; making sure of a bad end." if job.suspicion else f"{said}."
    return _ended(found)


def _ended(found: Standing) -> str:
    job = found.job
    if job.state is not State.COMPLETED:
        if job.failure:
            return sentence(f"It ended badly: {job.failure.get('message') or 'no reason was given'}")
        return "It ended badly, and no reason was given."
    if job.cancel_requested_at is not None and not found.over:
        return "It completed, and its caller wants it no more."
    if any(one.state is HandOffState.OWED for one in found.hand_offs):
        return "It completed; something is still to be handed off."
    if any(one.state in (HandOffState.DEAD, HandOffState.MISSING) for one in found.hand_offs):
        return "It completed, and something that was owed for it was given up."
    if not found.over:
        return "It completed; a look is to tell which outputs it has."
    return "It completed, and nothing is owed any more."


def won(race: Race) -> str:
    """Which path told the end first, and by how much."""
    aged = "" if race.age is None else f", {span(race.age)} after the gateway took the job"
    first = f"{WINNERS[race.winner]} told the end{aged}."
    if race.winner is Source.CLOCK:
        first = "Nobody told the end: its deadline passed."
    if race.other is None:
        return first
    other = "webhook" if race.other == HOOK else "look"
    if race.lead is None:
        return f"{first} No {other} has told it."
    if race.lead < 0:
        return f"{first} A {other} had said so {span(-race.lead)} before, which did not decide it."
    return f"{first} It won by {span(race.lead)}: so much later a {other} told the same."


def rows(found: Dossier) -> list[Row]:
    """The timeline."""
    return [_row(one, found) for one in found.timeline]


def _row(one: Line, found: Dossier) -> Row:
    if one.learned is not None:
        return _learned(one.learned, found)
    if one.tried is not None:
        return _tried(one.tried)
    if one.happened is not None:
        return _happened(one.at, one.happened)
    if one.repeated is not None:
        entry = one.repeated
        again = f"received {entry.deliveries} times so far"
        said = (entry.type, again)
        return Row(one.at, "webhook", "sent again", "nothing new", "", "", said, inbox_id=entry.id)
    assert one.came is Came.LOOKED
    number = f"look number {found.job.looks}"
    return Row(one.at, Source.POLL, "looked", "nothing new", "", found.job.state, (number,))


def _learned(one: Recorded, found: Dossier) -> Row:
    moved = one.verdict is Verdict.MOVED
    return Row(
        at=one.at,
        source=one.source,
        seen=SEEN[one.seen],
        verdict=one.verdict,
        tone=TONES.get(one.verdict, ""),
        state=f"{one.from_state} → {one.to_state}" if moved else one.to_state,
        details=tuple(_details(one)),
        request_id=one.request_id,
        raw=one.raw,
        number=one.seq,
        inbox_id=one.inbox_id,
    )


def _details(one: Recorded) -> Iterator[str]:
    if one.status:
        yield f"says {one.status}"
    if one.progress:
        yield f"{one.progress} %"
    if one.failure:
        code = one.failure.get("code")
        yield f"{one.failure.get('message')}" + (f" [{code}]" if code else "")
    if one.note:
        yield one.note


def _tried(one: Attempt) -> Row:
    said = (
        f"HTTP {one.status}" if one.status else None,
        one.error,
        f"answer: {one.preview}" if one.preview else None,
        f"took {span(one.ended_at - one.began_at)}",
    )
    details = (one.key, *filter(None, said))
    tone = TRIES.get(one.result, "")
    return Row(
        one.ended_at, "hand-off", f"to {one.destination}, attempt {one.number}", one.result, tone, "", details
    )


def _happened(at: float, one: Entry) -> Row:
    if one.type is Told.OUTPUT:
        return Row(at, "archive", f"output {one.data.get('index')} can be read", "kept", GOOD, "", ())
    if one.type is Told.OUTPUT_LOST:
        why = str(one.data.get("reason"))
        return Row(at, "archive", f"output {one.data.get('index')} cannot be read", why, BAD, "", ())
    return Row(at, "orchestrator", _HAPPENED[one.type], "", "", "", ())
