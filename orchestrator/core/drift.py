"""What the gateway says that its contract does not foresee: counted and shown, never a reason to fail. Pure.

A contract drifts: a field is added, a header renamed, a word comes that nobody has seen. Whoever runs this
should read of it here, not in an incident.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

LONGEST_NAME = 100  # characters
LONGEST_SAMPLE = 200
OTHERS = "(others)"  # where so many names are new that they are not told apart any more


class DriftKind(StrEnum):
    """What is not as the contract has it."""

    STATUS = "unknown_status"  # an unknown status word: read as "not ended"
    FIELD = "unknown_field"  # a new field: ignored
    HEADER = "header"  # a header is new, missing, or different
    HINT = "hint"  # the polling hint is missing, or not the documented one: followed anyway
    ERROR_CODE = "unknown_error_code"  # an error with an unknown code: judged by its HTTP status
    WEBHOOK_TYPE = "unknown_webhook_type"  # an unknown type of webhook: judged by its status
    UNREADABLE = "unreadable"  # a webhook with a valid signature that could not be read


class Place(StrEnum):
    """Where it was said."""

    CREATE = "create"  # the answer to a create
    LOOK = "look"  # the status of one job
    LIST = "list"  # the list, or an item of it
    SNAPSHOT = "snapshot"  # the first message of a WebSocket
    ERROR = "error"  # an error answer
    WEBHOOK = "webhook"  # a webhook with a valid signature


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that is not as the contract has it; `name` is the word or the field."""

    kind: DriftKind
    place: Place
    name: str

    @classmethod
    def of(cls, kind: DriftKind, place: Place, name: str) -> Drift:
        """With a name as long as it is kept."""
        return cls(kind, place, name[:LONGEST_NAME])

    @property
    def of_others(self) -> Drift:
        """The same, not told apart."""
        return Drift(self.kind, self.place, OTHERS)


@dataclass(frozen=True, slots=True)
class Seen:
    """A drift that was seen once: where a value says more than the name, with that; a bounded text."""

    drift: Drift
    sample: str | None = None


# Told of everything that was seen in one answer or webhook, with the gateway's request id or the job's.
Notice = Callable[[Iterable[Seen], str | None], None]


def ignored(_: Iterable[Seen], __: str | None) -> None:
    """For whoever asks without a place to keep it."""
