"""What all models share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, Strict, model_validator

UNKNOWN_TOLD = 3  # fields too many, each of which is told; of more, one


class Asked(BaseModel):
    """What somebody sends us: anything unknown in it is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_more_than_there_are(cls, given: Any) -> Any:
        """Else each of a million unknown fields would be an error of its own, to be put together and told."""
        if isinstance(given, dict) and len(given) > len(cls.model_fields) + UNKNOWN_TOLD:
            unknown = next(name for name in given if name not in cls.model_fields)
            raise ValueError(f"there are unknown fields, such as {unknown[:40]!r}")
        return given


class Answered(BaseModel):
    """What we answer. A client takes unknown fields of a newer server without complaint."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def _moment(value: Any) -> Any:
    """Our rows have epoch seconds."""
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else value


def _written(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# A number or a flag as JSON has it, not a text that looks like one.
Number = Annotated[float, Strict()]
Whole = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
Moment = Annotated[datetime, BeforeValidator(_moment), PlainSerializer(_written, return_type=str)]


def at_most(many: int) -> BeforeValidator:
    """No more items than so many, counted before any is looked at: each that is wrong is an error."""

    def counted(given: Any) -> Any:
        if isinstance(given, list) and len(given) > many:
            raise ValueError(f"there are {len(given)} of them, and {many} at most")
        return given

    return BeforeValidator(counted)
