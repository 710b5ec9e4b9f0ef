"""How much one tenant, one webhook or one output may take."""

from __future__ import annotations

from pydantic import Field

from orchestrator.settings.base import Group


class Limits(Group):
    """How much one tenant, one webhook or one output may take."""

    max_open_jobs: int = Field(
        0,
        ge=0,
        description="Open jobs of one tenant; further ones wait. 0: no limit.",
    )
    spend_cap_usd: float = Field(
        0.0, ge=0, description="US dollars that one tenant's jobs may cost; further ones wait. 0: no limit."
    )
    spend_window_days: float = Field(
        30.0, gt=0, le=366, description="Days, up to now, over which the cost is added up."
    )
    requests_per_minute: int = Field(
        6_000, ge=0, description="API requests per minute of one tenant; further ones get a 429. 0: no limit."
    )
    streams_per_tenant: int = Field(
        10_000, ge=1, description="Event streams that one tenant may have open at one process."
    )
    streams_per_token: int = Field(
        20, ge=1, description="Event streams that one come-back token may have open at one process."
    )
    look_batch: int = Field(200, ge=1, le=1000, description="Jobs in one batch of looks.")
    webhook_max_bytes: int = Field(
        262_144, ge=1024, le=16_777_216, description="Largest webhook body that is read; they are a few KiB."
    )
    content_patience_seconds: float = Field(
        600.0,
        ge=0,
        description="Seconds for which a completed job's content may be missing before that becomes its "
        "outcome.",
    )
    output_max_bytes: int = Field(
        1_073_741_824, ge=1024, description="Largest output that is fetched; the gateway's limit is 512 MiB."
    )
    rejected_keep: int = Field(500, ge=0, description="Rejected webhooks kept per account, the latest ones.")
    rejected_per_minute: int = Field(60, ge=0, description="Rejected webhooks kept per account and minute.")
