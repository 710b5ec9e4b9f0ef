"""What the next state of a job is. This table and nothing else decides it.

Evidence has two strengths. *Stored*: a signed webhook, the list, a WebSocket snapshot; the gateway
keeps its first terminal state and bills by it. *Live*: a GET or the create answer, which shows what
the provider says at that moment and may take it back (gateway contract 2.2). A good end counts from
either; a bad end seen live only raises a suspicion, which stored evidence has to confirm.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a job stands, in our words."""

    ACCEPTED = "accepted"  # stored, not yet sent to the gateway
    CREATING = "creating"  # the create call is under way; committed before the first byte leaves
    UNCERTAIN = "uncertain"  # the create call may or may not have made a paid job
    WAITING = "waiting"  # the gateway has the job and has not ended it
    COMPLETED = "completed"  # it succeeded
    FAILED = "failed"  # it failed at the provider
    CANCELLED = "cancelled"  # the provider cancelled it, or the caller did before it was created
    EXPIRED = "expired"  # the provider let it expire
    REJECTED = "rejected"  # the gateway refused to create it: nothing was made, nothing is billed
    TIMED_OUT = "timed_out"  # our deadline passed, or a person gave up; a late outcome still counts


class Seen(StrEnum):
    """What one observation says, in our words."""

    ATTEMPT = "attempt"  # we are about to ask the gateway to create
    REFUSED = "refused"  # create: the gateway will not make this job
    NO_JOB = "no_job"  # create: certainly no job was made; worth trying again
    LOST = "lost"  # create: no answer from which to know whether a job was made
    OPEN = "open"  # the gateway has the job, not ended (queued, processing, an unknown word)
    COMPLETED = "completed"  # it succeeded, stored or live
    FAILED_LIVE = "failed_live"  # the provider says now that it failed
    CANCELLED_LIVE = "cancelled_live"  # the provider says now that it was cancelled
    EXPIRED_LIVE = "expired_live"  # the provider says now that it expired
    FAILED_STORED = "failed_stored"  # the gateway has stored that it failed
    CANCELLED_STORED = "cancelled_stored"  # the gateway has stored that it was cancelled
    EXPIRED_STORED = "expired_stored"  # the gateway has stored that it expired
    DEADLINE = "deadline"  # our own deadline passed
    CANCEL = "cancel"  # the caller cancels it
    ADOPT = "adopt"  # a person says which gateway job this is
    RESUBMIT = "resubmit"  # a person accepts the risk of paying twice
    GIVE_UP = "give_up"  # a person stops waiting


class Verdict(StrEnum):
    """What an observation meant for the job."""

    MOVED = "moved"  # the state changed
    KNOWN = "known"  # nothing new
    LATE = "late"  # true once, but outdated
    CLASH = "clash"  # contradicts a settled job: kept, counted, shown
    SCORED = "scored"  # a webhook about a job in shadow mode: kept and counted, and moves nothing


@dataclass(frozen=True, slots=True)
class Step:
    """The answer of the table: the state afterwards, the verdict, and whether stored evidence is wanted."""

    to: State
    verdict: Verdict
    confirm: bool = False


SETTLED = frozenset(
    {State.COMPLETED, State.FAILED, State.CANCELLED, State.EXPIRED, State.REJECTED, State.TIMED_OUT}
)
OPEN = frozenset(State) - SETTLED
LIVE_NEGATIVE = frozenset({Seen.FAILED_LIVE, Seen.CANCELLED_LIVE, Seen.EXPIRED_LIVE})

_STATE = {state.value: state for state in State}
_STAY = {"=": Verdict.KNOWN, "~": Verdict.LATE, "!": Verdict.CLASH}

# One row per thing seen, one column per state we are in. A state's name: move there. "=" known,
# "~" late, "!" clash: stay. A "?" at the end: ask for stored evidence.
_STATES = "accepted    creating    uncertain   waiting     completed   failed      cancelled   expired     rejected    timed_out"
_TABLE = """
attempt          creating    =           =           =           =           =           =           =           =           =
refused          ~           rejected    rejected    !           !           !           ~           !           =           rejected
no_job           ~           accepted    accepted    !           !           !           ~           !           ~           ~
lost             ~           uncertain   =           ~           ~           ~           ~           ~           ~           ~
open             waiting     waiting     waiting     =           ~           ~           ~           ~           !           ~
completed        completed   completed   completed   completed   =           !           !           !           !           completed
failed_live      waiting?    waiting?    waiting?    =?          !           =           !           !           !           =?
cancelled_live   waiting?    waiting?    waiting?    =?          !           !           =           !           !           =?
expired_live     waiting?    waiting?    waiting?    =?          !           !           !           =           !           =?
failed_stored    failed      failed      failed      failed      !           =           !           !           !           failed
cancelled_stored cancelled   cancelled   cancelled   cancelled   !           !           =           !           !           cancelled
expired_stored   expired     expired     expired     expired     !           !           !           =           !           expired
deadline         timed_out   =           timed_out   timed_out   ~           ~           ~           ~           ~           =
cancel           cancelled   =           =           =           =           =           =           =           =           =
adopt            waiting     =           waiting     =           =           =           =           =           waiting     waiting
resubmit         =           =           accepted    =           =           =           =           =           =           =
give_up          =           =           timed_out   =           =           =           =           =           =           =
"""


def _read(cell: str, state: State) -> Step:
    name, confirm = cell.rstrip("?"), cell.endswith("?")
    if name in _STAY:
        return Step(state, _STAY[name], confirm)
    return Step(_STATE[name], Verdict.MOVED, confirm)


def _read_table() -> dict[tuple[State, Seen], Step]:
    columns = [State(name) for name in _STATES.split()]
    steps = {}
    for line in _TABLE.strip().splitlines():
        seen, *cells = line.split()
        for state, cell in zip(columns, cells, strict=True):
            steps[state, Seen(seen)] = _read(cell, state)
    return steps


STEPS = _read_table()


def step(state: State, seen: Seen) -> Step:
    """What seeing `seen` does to a job in `state`. Total: every pair has an answer."""
    return STEPS[state, seen]
