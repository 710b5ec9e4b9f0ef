"""The errors that content can be told to answer with, by name (contract section 1.4)."""

from __future__ import annotations

from starlette.responses import Response

from orchestrator.sandbox.refusals import bare_500, diagnosis, shape_b
from orchestrator.sandbox.state import Job

CONTENT_ERRORS = {
    "video_not_ready": "409 although the job is completed",
    "missing_video_uri": "502, the provider names no file",
    "fetch_failed": "502, the provider's file is gone (upstream 404)",
    "redirect_rejected": "502, the provider redirects",
    "video_generation_failed": "502 although the job is completed",
    "video_content_too_large": "502, over the gateway's 512 MiB",
    "video_provider_timeout": "502, the provider does not answer",
    "unauthorised": "401, as for an expired link",
    "text_500": "text/plain 500",
}


def staged(name: str, job: Job, request_id: str, workspace: str) -> Response:
    """The error of that name."""
    if name == "text_500":
        return bare_500()
    if name == "unauthorised":
        return shape_b("unauthorised", "missing_or_invalid_authorization_header", request_id)
    if name == "video_not_ready":
        return shape_b("not_ready", name, request_id, workspace)
    if name in ("fetch_failed", "redirect_rejected"):
        return _provider_failed(name, job, request_id, workspace)
    return shape_b("upstream_error", name, request_id, workspace)


def _provider_failed(name: str, job: Job, request_id: str, workspace: str) -> Response:
    family = (
        job.profile.fetch_failed.removesuffix("_fetch_failed")
        .removesuffix("_operation")
        .removesuffix("_task")
    )
    status = 404 if name == "fetch_failed" else 502
    return shape_b(
        "upstream_error",
        f"{family}_content_{name}",
        request_id,
        workspace,
        provider=job.profile.name,
        upstream_status=status,
        upstream_status_text=None,
        upstream_body_preview='{"error":{"code":404,"message":"gone"}}',
        upstream_error={"code": "gone", "message": "gone", "description": "gone", "param": None},
        provider_failure_diagnostics=diagnosis(status, job.profile.name),
    )
