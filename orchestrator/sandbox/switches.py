"""Every fault and option of the sandbox: one typed field and one line of documentation each.

`JobSwitches` belong to one job: `provider_params: {"sandbox": {...}}` in the create body, or the defaults of
later jobs. `LiveSwitches` belong to the whole sandbox and act at once. `PUT /_sandbox/faults` sets both.
Times are gateway seconds, divided by the time scale, unless the line says real seconds.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from orchestrator.sandbox.config import documented as switch

Ending = Literal["completed", "failed", "cancelled", "expired"]


@dataclass(frozen=True)
class JobSwitches:
    """What befalls one job."""

    # the provider's truth
    duration: float | None = switch(
        None, "Seconds until the provider ends the job; none draws from the configured range."
    )
    queue_seconds: float = switch(0.0, "Seconds that the provider calls the job queued before it starts.")
    outcome: Literal["completed", "failed", "cancelled", "expired", "never"] = switch(
        "completed", "How the provider ends the job; `never` leaves it processing for ever."
    )
    failure_rate: float = switch(
        0.0, "Share of jobs (0 to 1, by seed) that end as failed instead of completed."
    )
    error: Literal["provider", "string", "object", "absent"] = switch(
        "provider", "Form of `error` in GET for an unhappy end; `provider` is that provider's own form."
    )
    error_message: str = switch("The prompt violates policy.", "Text inside that error.")
    provider: str | None = switch(None, "Provider profile by name; none goes by the model's prefix.")
    notice: Literal["instant", "tick"] = switch(
        "instant",
        "How the gateway learns of the end: the provider calls back, or the 5-minute cron tick sees it.",
    )
    notice_delay: float = switch(0.0, "Seconds between the provider's end and its call back.")
    outputs: int | None = switch(None, "How many outputs are really made; none follows `sample_count`.")
    outputs_listed: bool | None = switch(
        None, "Whether GET fills `outputs` and `asset`; none is the provider's habit."
    )
    out_of_range: Literal["provider", "missing", "first"] = switch(
        "provider", "Content past the last output: 502 missing_video_uri, or silently output 0."
    )
    # content
    content: Literal["ok", "missing", "empty", "cut", "truncated", "json", "html", "garbage"] = switch(
        "ok",
        "Content of a completed job: missing (502), empty, cut (connection closes half-way), truncated "
        "(ends cleanly half-way), or json, html, garbage in place of the video.",
    )
    content_fault_times: int = switch(
        0, "How many content requests meet that fault before it heals; 0 is all. `missing` never heals."
    )
    content_error: str | None = switch(
        None, "Content answers with the error of this name; see the content errors."
    )
    content_error_times: int = switch(
        0, "How many content requests meet that error before it heals; 0 is all."
    )
    content_bytes: int | None = switch(None, "Pads the MP4 with a free box to this many bytes.")
    content_rate: float | None = switch(None, "Streams content at this many bytes per real second.")
    content_length: bool = switch(
        False, "Content carries Content-Length and ETag; the gateway mostly has neither."
    )
    asset_bytes: Literal["null", "right", "wrong"] = switch("null", "What `asset.bytes` claims.")
    # create
    create_error: str | None = switch(
        None, "Create answers with the error of this name; see the create errors."
    )
    create_error_times: int = switch(
        0, "How many creates (of this body, or of all when a default) meet it; 0 is all."
    )
    create_failed_statuses: tuple[int, ...] = switch((503,), "`failed_statuses` of create_error `upstream`.")
    create_leaves_job: bool | None = switch(
        None, "Whether the job exists behind a create error; none is that error's habit."
    )
    persist: bool = switch(True, "False: the job is paid for upstream but its row never appears anywhere.")
    create_delay: float = switch(
        0.0, "Real seconds that the create answer is held back while the job exists."
    )
    create_status: Literal["queued", "in_progress", "completed", "failed"] = switch(
        "queued", "Status in the create answer; a terminal one is the job's end."
    )
    # status reads
    not_found_for: float = switch(0.0, "Seconds after create in which GET answers 404.")
    get_502: int = switch(0, "How many GETs answer 502 with `upstream_status`; -1 is all of them.")
    get_502_status: int = switch(503, "That `upstream_status`.")
    get_502_reason: str | None = switch(None, "That `reason`; none is the provider's own.")
    get_500: int = switch(0, "How many GETs answer text/plain 500; -1 is all of them.")
    regress: Literal["none", "processing", "queued", "expired", "502"] = switch(
        "none", "What GET says after the stored state became completed."
    )
    regress_times: int = switch(0, "How many GETs regress; 0 is all.")
    regress_content: bool = switch(False, "Content follows the regressed state too.")
    status_word: str | None = switch(None, "A word that GET shows as `status` while the job runs.")
    live_negative: Literal["none", "failed", "cancelled", "expired"] = switch(
        "none", "GET shows this end although the stored state says otherwise and will follow `outcome`."
    )
    live_negative_times: int = switch(0, "How many GETs show it; 0 is all.")
    retry_after: int | None = switch(
        None, "Adds a Retry-After header to GET answers; the gateway never does."
    )
    poll_after_seconds: float | Literal["absent"] | None = switch(
        None, "Overrides the polling hint, or leaves it out."
    )
    # webhooks
    webhook_lose: tuple[str, ...] = switch(
        (), "Events lost without trace: phases such as `completed`, or `all`."
    )
    webhook_loss_rate: float = switch(0.0, "Share of events (0 to 1, by seed) lost without trace.")
    webhook_delay: float = switch(0.0, "Seconds that each event waits before its first attempt.")
    webhook_shuffle: float = switch(
        0.0, "Each event waits a drawn time up to this many seconds, so order is lost."
    )
    webhook_duplicates: int = switch(0, "Further copies of each delivered event, one after the other.")
    webhook_duplicates_within: float = switch(
        0.0, "Seconds over which those copies are spread, so that one can come long after later events."
    )
    webhook_concurrent: int = switch(0, "Further copies of each attempt at the same moment.")
    webhook_early: bool = switch(False, "Events that are due are delivered before the create answer is sent.")
    webhook_legacy: bool = switch(False, "The x-ai-stats-* headers and the old User-Agent.")
    webhook_bare: bool = switch(False, "Payload without `id` and `delivery`, as in the first generation.")
    webhook_wrong_secret: bool = switch(False, "Signed with a secret that nobody has.")
    webhook_timestamp_offset: float = switch(
        0.0, "Real seconds added to the signed timestamp; negative is old."
    )
    webhook_fail_attempts: int = switch(
        0, "How many attempts of each event get lost on the way before one arrives."
    )


@dataclass(frozen=True)
class LiveSwitches:
    """What befalls the whole sandbox, from now on."""

    down: Literal["none", "gets", "all"] = switch(
        "none", "text/plain 500 on every GET under /v1, or on everything there."
    )
    drop: Literal["none", "gets", "all"] = switch(
        "none", "The connection closes without an answer, likewise."
    )
    latency: float = switch(0.0, "Real seconds before every answer under /v1.")
    hold: Literal["none", "creates", "looks", "content", "all"] = switch(
        "none",
        "Answers to these under /v1/videos are held back until it is over, content where it is or behind its "
        "headers; what was asked for is done.",
    )
    provider_502: tuple[str, ...] = switch((), "GET of jobs of these providers answers 502.")
    gate_closed: bool = switch(False, "501 video_api_feature_disabled on create, list and models.")
    db_error_next: int = switch(0, "How many next requests under /v1/videos answer 401 db_error.")
    hooks_stopped: bool = switch(False, "No webhook leaves any more, for all jobs, without trace.")
    management_scopes: Literal["write", "read", "none"] = switch(
        "write", "What the management key may do: read and write, read alone, or neither (403)."
    )
    control_lost_next: int = switch(
        0,
        "How many next answers to POST and PATCH under /v1/webhook-endpoints get lost: what was asked for is "
        "done, and the connection closes.",
    )
    batch_gate_closed: bool = switch(False, "403 batch_api_feature_flag_disabled on every control route.")
    signing: bool = switch(True, "Download links can be signed; false leaves them null.")


class UnknownSwitch(ValueError):
    """A switch name or value that the sandbox does not know; the text says what to write instead."""


Switches = TypeVar("Switches", JobSwitches, LiveSwitches)
_HINTS = {kind: get_type_hints(kind) for kind in (JobSwitches, LiveSwitches)}


def describe() -> list[dict[str, Any]]:
    """Name, scope, default and meaning of every switch, in reading order."""
    return [
        {"name": item.name, "scope": scope, "default": item.default, "meaning": item.metadata["doc"]}
        for scope, kind in (("job", JobSwitches), ("live", LiveSwitches))
        for item in fields(kind)
    ]


def names(kind: type[JobSwitches] | type[LiveSwitches]) -> frozenset[str]:
    """The names of all switches of a kind."""
    return frozenset(_HINTS[kind])


def apply(current: Switches, given: Mapping[str, Any]) -> Switches:
    """Switches with the given ones laid over; null restores a default.

    Raises UnknownSwitch for a name or value that does not exist.
    """
    hints = _HINTS[type(current)]
    defaults = {item.name: item.default for item in fields(current)}
    for name in given:
        if name not in hints:
            raise UnknownSwitch(_unknown(name, hints))
    changes: dict[str, Any] = {
        name: defaults[name] if value is None else _checked(name, hints[name], value)
        for name, value in given.items()
    }
    return replace(current, **changes)


def _unknown(name: str, hints: Mapping[str, Any]) -> str:
    close = get_close_matches(name, hints, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    return f"unknown sandbox switch {name!r}{meant}. GET /_sandbox/switches lists them all."


def _checked(name: str, hint: Any, value: Any) -> Any:
    for option in get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,):
        fitted = _fit(option, value)
        if fitted is not None:
            return fitted
    raise UnknownSwitch(f"sandbox switch {name!r} cannot be {value!r}; it takes {_words(hint)}.")


def _fit(option: Any, value: Any) -> Any:
    """The value as this one type, or None when it does not fit."""
    if get_origin(option) is Literal:
        return value if isinstance(value, str) and value in get_args(option) else None
    if get_origin(option) is tuple:
        inner = get_args(option)[0]
        items = [value] if isinstance(value, inner) else value
        fits = isinstance(items, list) and all(isinstance(item, inner) for item in items)
        return tuple(items) if fits else None
    if option is float:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    if option is int:
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    return value if isinstance(option, type) and isinstance(value, option) else None


def _words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, get_args(hint)))
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_words(option) for option in get_args(hint) if option is not type(None))
    return str(hint) if get_origin(hint) else str(hint.__name__)
