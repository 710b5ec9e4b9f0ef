"""What is told of a job to whoever follows it."""

from __future__ import annotations

from enum import StrEnum


class Told(StrEnum):
    """The kinds of events; each has further facts in its data."""

    ACCEPTED = "accepted"  # the job was kept
    STATE = "state"  # it moved to another state: `state`, `error` where it ended badly
    PROGRESS = "progress"  # the provider got further: `progress`, in percent
    OUTPUT = "output"  # an output can be read: `index`, `mime_type`, `bytes`, `sha256`
    OUTPUT_LOST = "output_lost"  # an output will not come, or is gone: `index`, `reason`
    HAND_OFF = "hand_off"  # a hand-off ended: `destination`, `kind`, `state`, `error` where given up
    CANCEL = "cancel"  # its caller wants it no more; what the gateway has, runs on
    NEEDS_PERSON = "needs_person"  # nobody can say whether the create made a job: a person must decide


# What somebody may know who only has a come-back token: nothing of where else results go.
FOR_END_USERS = frozenset(
    {Told.ACCEPTED, Told.STATE, Told.PROGRESS, Told.OUTPUT, Told.OUTPUT_LOST, Told.CANCEL}
)


class Lost(StrEnum):
    """Why an output cannot be read."""

    MISSING = "missing"  # there is none: the provider has no such output
    UNAVAILABLE = "unavailable"  # it could not be brought into the archive, however often it was tried
    CANCELLED = "cancelled"  # its caller wanted the job no more before it was brought
    DAMAGED = "damaged"  # the archive's copy is damaged: it is fetched again
    PURGED = "purged"  # it was kept for as long as it was to be kept
