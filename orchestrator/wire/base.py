"""What all models share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, Strict


class Asked(BaseModel):
    """What somebody sends us: anything unknown in it is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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
