"""What is kept, and for how long."""

from __future__ import annotations

from pydantic import Field

from orchestrator.settings.base import Group


class Keeping(Group):
    """What is kept, and for how long."""

    keep_outputs: bool = Field(
        True,
        description="Fetch each output from the gateway into the archive. `false`: destinations are told at "
        "once that a job completed and where the gateway has its outputs; none can be brought files.",
    )
    retain_observations_days: float = Field(
        90.0, gt=0, description="Days that the timeline of an ended job is kept."
    )
    retain_inbox_days: float = Field(30.0, gt=0, description="Days that received webhooks are kept.")
    retain_attempts_days: float = Field(
        90.0, gt=0, description="Days that the result of each hand-off attempt is kept."
    )
    retain_outputs_days: float = Field(
        0.0, ge=0, description="Days that archived outputs of ended jobs are kept; 0: forever."
    )
    retain_jobs_days: float = Field(
        0.0, ge=0, description="Days that ended jobs are kept, with everything about them; 0: forever."
    )
