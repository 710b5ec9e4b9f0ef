"""What a sandbox is started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

API_KEY = "phaseo_v1_sk_sandbox_localonly"
MANAGEMENT_KEY = "phaseo_v1_mk_sandbox_localonly"
WORKSPACE_ID = "0b6c0a54-7d7b-4f6a-9a01-2f3d4c5b6a70"
ENDPOINT_ID = "7f9c2ba4-e88f-4f9a-8d0e-0c1b2a3d4e5f"
WEBHOOK_SECRET = "whsec_sandboxsandboxsandboxsandboxsandboxsandbox0"


def documented(default: Any, doc: str) -> Any:
    """A dataclass field that carries its own line of documentation."""
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class SandboxConfig:
    """The settings of one sandbox gateway; every field has its line of documentation in its metadata."""

    host: str = documented(
        "127.0.0.1", "Address to listen on; loopback, because the sandbox trusts everybody."
    )
    port: int = documented(0, "Port to listen on; 0 picks a free one.")
    seed: int = documented(
        1, "Decides ids, durations, outcomes and losses; the same seed gives the same story."
    )
    api_key: str = documented(API_KEY, "The one API key that /v1/videos accepts.")
    management_key: str = documented(MANAGEMENT_KEY, "The one key that /v1/webhook-endpoints accepts.")
    workspace_id: str = documented(WORKSPACE_ID, "Workspace id shown in errors and download tokens.")
    time_scale: float = documented(
        1.0, "Divides the gateway's own times: jobs, ticks, retry gaps, link lifetimes."
    )
    poll_after_seconds: float = documented(20, "The polling hint of every status answer; never scaled.")
    duration_min: float = documented(
        5.0, "Shortest job, in gateway seconds, where no `duration` switch is given."
    )
    duration_max: float = documented(
        15.0, "Longest job, in gateway seconds, where no `duration` switch is given."
    )
    webhook_url: str | None = documented(None, "Registers an endpoint with this URL at start.")
    webhook_secret: str = documented(WEBHOOK_SECRET, "Signing secret of that endpoint, used whole.")
    endpoint_id: str = documented(ENDPOINT_ID, "Id of that endpoint; the gateway's are UUIDs.")
    allow_private_webhooks: bool = documented(
        True, "Webhook URLs may be http and on this machine; not on the gateway."
    )
    webhook_timeout: float = documented(30.0, "Real seconds to wait for a webhook receiver.")
    log_size: int = documented(100_000, "How many requests the log remembers.")
    faults: dict[str, Any] = field(default_factory=dict, metadata={"doc": "Switches set at start, by name."})
