"""What all groups of settings share."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

PREFIX = "ORCHESTRATOR_"


class Group(BaseModel):
    """Settings of one subject. Validators of two groups may not share a name: one would replace the other."""

    # Groups are read only together, as `Settings`: alone none is ever validated.
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False, defer_build=True
    )


def or_none(value: Any) -> Any:
    """None for what is there and empty: as a path it would be the folder we are in."""
    return None if value == "" else value


def parted(value: Any) -> Any:
    """What stands between commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value
