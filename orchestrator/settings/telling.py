"""What a process tells about itself."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from orchestrator.settings.base import Group, or_none
from orchestrator.settings.checks import ports_of


class Telling(Group):
    """What a process tells about itself."""

    metrics_address: str | None = Field(
        None,
        description="Address for each process's metrics and health: 127.0.0.1:9464, or a range such as "
        "127.0.0.1:9464-9479, of which it takes the first free port. Empty: none.",
    )
    tracing: bool = Field(
        False,
        description="Send an OpenTelemetry trace for each job; the standard OTEL_* variables say where to.",
    )
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="Lowest level that is logged."
    )
    fault_point: str = Field(
        "", description="For tests: `name` or `name:n`; the process kills itself there, the n-th time."
    )

    @field_validator("metrics_address", mode="before")
    @classmethod
    def _nowhere(cls, value: Any) -> Any:
        return or_none(value)

    @field_validator("metrics_address")
    @classmethod
    def _ports(cls, value: str | None) -> str | None:
        if value is not None:
            ports_of(value)
        return value
