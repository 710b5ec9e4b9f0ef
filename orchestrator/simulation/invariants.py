"""What must hold after every step, whatever happens around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Row = dict[str, Any]  # as the database has it


class Invariant(StrEnum):
    """What the product promises."""

    NOTHING_LOST = "nothing_lost"  # a job that was accepted is there; open, it is due; so is what is owed
    ONE_WINNER = "one_winner"  # a settled job stays so; a timed out one takes a real end, a person may adopt
    TRUE_TO_GATEWAY = (
        "true_to_gateway"  # a job ends as the gateway ended it, or refused it, or at its deadline
    )
    PAID_ONCE = "paid_once"  # one job at the gateway, and one more for each risk that was rightly taken
    ONE_HAND_OFF = "one_hand_off"  # each output or outcome is owed once to each destination
    ONE_EFFECT = "one_effect"  # what is handed off appears once, whole, under one name, only while wanted
    ARCHIVE_FIRST = "archive_first"  # what is handed on, or told a link of, is in the archive by then
    KEPT_AS_SET = "kept_as_set"  # outputs that are kept, or promised as files, are fetched; no others are
    FETCHED_ONCE = (
        "fetched_once"  # content is fetched once an attempt, and not while the archive has it whole
    )
    ATTEMPTS_KEPT = (
        "attempts_kept"  # each attempt is on record once: how it ended, or that nobody lived to say
    )
    FLOOR = "floor"  # no look at a waiting job before the moment that the gateway's last answer allows
    ONE_HOLDER = "one_holder"  # a lease is taken only when nobody holds it
    OLD_FENCE = "old_fence"  # whoever lost a lease changes nothing about it, nor when the work is due
    EVENT_ONCE = "event_once"  # one inbox row for each event; told again, it counts only if it moves the job
    KEPT_BEFORE_ACK = "kept_before_ack"  # a webhook is answered with 2xx only once it is in the inbox
    SENT_AFTER_COMMIT = "sent_after_commit"  # nothing is sent or asked while a transaction is open
    NO_GAPS = "no_gaps"  # the observations of a job are numbered without gaps
    TOLD = "told"  # a job's events are numbered without gaps, from its acceptance to the state it is in
    NOTHING_BROKE = "nothing_broke"  # no use-case ends in an exception that nobody staged
    ENDS = "ends"  # once everything works again, every job ends, is told of, and has what came in for it


Broken = Iterator[tuple[Invariant, str]]


@dataclass(frozen=True, slots=True)
class Violation:
    """One invariant that broke: when, in which step, and how."""

    invariant: Invariant
    at: float  # seconds after the start
    step: int
    what: str

    def __str__(self) -> str:
        return f"{self.invariant} at {self.at:.3f} s, step {self.step}: {self.what}"
