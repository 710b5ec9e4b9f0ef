"""How the providers behind the gateway differ, one row each (contract sections 1.3, 1.4, 2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Profile:
    """The traits of one provider that a client of the gateway can see."""

    name: str
    prefixes: tuple[str, ...]  # of the requested model
    native_id: str  # with {model} and {number}
    error: Literal["string", "object", "absent"] = "absent"  # the `error` of a failed job in GET
    failed_content: int = 409  # status of /content for a failed job; 409 or 502
    ended_content_is_502: bool = False  # cancelled and expired answer 502 too
    out_of_range: Literal["missing", "first", "ignored"] = "first"  # /content?index= past the end
    lists_outputs: bool = True  # `outputs` and `asset` are filled when completed
    makes_samples: bool = True  # `sample_count` yields that many outputs
    openai_types: bool = False  # unix times, string seconds, in_progress, real progress
    rewrites_model: bool = False  # GET shows the provider's slug
    fetch_failed: str = "video_provider_upstream_error"  # `reason` of a failing GET
    native_key: str | None = None  # extra key of that error, holding the native id
    network_error_is_text: bool = False  # a network fault while polling is text/plain 500


_ROWS = (
    Profile(
        "google-ai-studio",
        ("google/", "veo"),
        "models/{model}/operations/op{number}",
        error="string",
        failed_content=502,
        ended_content_is_502=True,
        out_of_range="missing",
        rewrites_model=True,
        fetch_failed="google_video_operation_fetch_failed",
        native_key="operation_name",
        network_error_is_text=True,
    ),
    Profile(
        "google-vertex",
        ("vertex/",),
        "projects/sandbox/operations/op{number}",
        error="string",
        failed_content=502,
        ended_content_is_502=True,
        out_of_range="missing",
        rewrites_model=True,
        fetch_failed="google_vertex_video_operation_fetch_failed",
        native_key="operation_name",
    ),
    Profile(
        "openai",
        ("openai/", "sora"),
        "video_{number}",
        error="object",
        failed_content=502,
        out_of_range="ignored",
        lists_outputs=False,
        makes_samples=False,
        openai_types=True,
        rewrites_model=True,
    ),
    Profile("x-ai", ("x-ai/", "xai/", "grok"), "req-{number}", fetch_failed="xai_video_fetch_failed"),
    Profile(
        "minimax",
        ("minimax/",),
        "task-{number}",
        fetch_failed="minimax_video_task_fetch_failed",
        native_key="task_id",
    ),
    Profile(
        "byteplus",
        ("bytedance", "byteplus/"),
        "cgt-{number}",
        fetch_failed="byteplus_video_task_fetch_failed",
        native_key="task_id",
    ),
    Profile(
        "runway",
        ("runway/",),
        "run-{number}",
        fetch_failed="runway_video_task_fetch_failed",
        native_key="task_id",
    ),
    Profile(
        "atlascloud",
        ("atlascloud/",),
        "pred-{number}",
        error="string",
        fetch_failed="atlas_video_fetch_failed",
    ),
    Profile(
        "alibaba",
        ("alibaba/", "qwen/"),
        "ali-{number}",
        out_of_range="ignored",
        makes_samples=False,
        fetch_failed="alibaba_video_task_fetch_failed",
        native_key="task_id",
    ),
    Profile(
        "fal",
        ("fal/",),
        "fal-{number}",
        failed_content=502,
        out_of_range="ignored",
        makes_samples=False,
        fetch_failed="fal_video_fetch_failed",
    ),
)
PROFILES = {row.name: row for row in _ROWS}
DEFAULT = PROFILES["google-ai-studio"]


def profile_of(model: str) -> Profile:
    """The provider that would get this model; Google where nothing matches."""
    wanted = model.lower()
    return next((row for row in _ROWS if wanted.startswith(row.prefixes)), DEFAULT)


def slug_of(profile: Profile, model: str) -> str:
    """The model name that the provider reports back."""
    if not profile.rewrites_model:
        return model
    bare = model.rpartition("/")[2]
    return f"{bare}-generate-preview" if bare.startswith("veo") and "preview" not in bare else bare
