"""What is told of a job to whoever follows it."""

from __future__ import annotations

from enum import StrEnum


class Told(StrEnum):
    """The kinds of events; each has further facts in its data."""

    ACCEPTED = "accepted"  # the job was submitted and stored
    STATE = "state"  # it moved to another state: `state`, and `error` if it ended badly
    PROGRESS = "progress"  # the provider made progress: `progress`, in percent
    OUTPUT = "output"  # an output can be read: `index`, `mime_type`, `bytes`, `sha256`
    OUTPUT_LOST = "output_lost"  # an output will not come, or is gone: `index`, `reason`
    HAND_OFF = "hand_off"  # a hand-off ended: `destination`, `kind`, `state`, and `error` if it was given up
    CANCEL = "cancel"  # its caller cancelled it; if the gateway already has it, it runs on
    NEEDS_PERSON = "needs_person"  # nobody knows whether the create made a job: a person must decide


# What somebody may know who only has a come-back token: nothing of where else results go.
FOR_END_USERS = frozenset(
    {Told.ACCEPTED, Told.STATE, Told.PROGRESS, Told.OUTPUT, Told.OUTPUT_LOST, Told.CANCEL}
)


class Lost(StrEnum):
    """Why an output cannot be read."""

    MISSING = "missing"  # the provider has no such output
    UNAVAILABLE = "unavailable"  # it could not be fetched into the archive in all attempts
    CANCELLED = "cancelled"  # the caller cancelled the job before it was fetched
    DAMAGED = "damaged"  # the archive's copy is damaged and is being fetched again
    PURGED = "purged"  # it was deleted because it was old
