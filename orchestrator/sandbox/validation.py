"""The strict schema of a create body (contract section 1.1), its problems worded as the gateway does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Issue = dict[str, Any]
Check = Callable[[Any, list[Any]], Iterator[Issue]]

LONGEST_PROMPT = 32_000
_CONTROLLED = frozenset(
    {
        "prompt",
        "model",
        "duration",
        "seconds",
        "size",
        "resolution",
        "aspect_ratio",
        "sample_count",
        "callback_url",
        "webhook",
        "webhook_url",
        "input_reference",
        "input_references",
    }
)


def issue(message: str, path: list[Any], keyword: str) -> Issue:
    """One entry of `details`."""
    return {"message": message, "path": path, "keyword": keyword, "params": {}}


def _type_name(value: Any) -> str:
    names = {type(None): "null", bool: "boolean", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "number")


def _wrong(expected: str, value: Any, path: list[Any]) -> Issue:
    return issue(f"Invalid input: expected {expected}, received {_type_name(value)}", path, "invalid_type")


def _text(longest: int | None = None) -> Check:
    def check(value: Any, path: list[Any]) -> Iterator[Issue]:
        if not isinstance(value, str):
            yield _wrong("string", value, path)
        elif longest is not None and len(value) > longest:
            yield issue(f"Too big: expected string to have <={longest} characters", path, "too_big")

    return check


def _number(low: float | None = None, high: float | None = None, whole: bool = True) -> Check:
    def check(value: Any, path: list[Any]) -> Iterator[Issue]:
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield _wrong("number", value, path)
        elif whole and not float(value).is_integer():
            yield issue("Invalid input: expected int, received number", path, "invalid_type")
        elif low is not None and value < low:
            yield issue(f"Too small: expected number to be >={low}", path, "too_small")
        elif high is not None and value > high:
            yield issue(f"Too big: expected number to be <={high}", path, "too_big")

    return check


def _kind(kind: type, name: str) -> Check:
    def check(value: Any, path: list[Any]) -> Iterator[Issue]:
        if not isinstance(value, kind):
            yield _wrong(name, value, path)

    return check


def _one_of(*options: str) -> Check:
    def check(value: Any, path: list[Any]) -> Iterator[Issue]:
        if value not in options:
            shown = "|".join(f'"{option}"' for option in options)
            yield issue(f"Invalid option: expected one of {shown}", path, "invalid_value")

    return check


def _strict(fields: dict[str, Check], required: tuple[str, ...] = ()) -> Check:
    def check(value: Any, path: list[Any]) -> Iterator[Issue]:
        if not isinstance(value, dict):
            yield _wrong("object", value, path)
            return
        for name in required:
            if name not in value:
                text = "Invalid input: expected string, received undefined"
                yield issue(text, [*path, name], "invalid_type")
        for name, item in value.items():
            if name in fields:
                yield from fields[name](item, [*path, name])
        yield from _unknown(value, fields, path)

    return check


def _unknown(value: dict[str, Any], fields: dict[str, Check], path: list[Any]) -> Iterator[Issue]:
    strangers = [name for name in value if name not in fields]
    if strangers:
        word = "keys" if len(strangers) > 1 else "key"
        shown = ", ".join(f'"{name}"' for name in strangers)
        yield issue(f"Unrecognized {word}: {shown}", path, "unrecognized_keys")


def _events(value: Any, path: list[Any]) -> Iterator[Issue]:
    if not isinstance(value, list):
        yield _wrong("array", value, path)
        return
    for index, item in enumerate(value):
        yield from _text()(item, [*path, index])


def _provider_params(value: Any, path: list[Any]) -> Iterator[Issue]:
    if not isinstance(value, dict):
        yield _wrong("record", value, path)
        return
    for name, item in value.items():
        if path == ["provider_params"] and name == "sandbox":
            continue  # the sandbox's own switches
        if name in _CONTROLLED:
            text = f"{name} must be supplied through a validated top-level video field"
            yield issue(text, [*path, name], "custom")
        elif isinstance(item, dict):
            yield from _provider_params(item, [*path, name])


def _reference(value: Any, path: list[Any]) -> Iterator[Issue]:
    given = [name for name in ("file_id", "image_url") if isinstance(value, dict) and name in value]
    if len(given) != 1:
        yield issue("input_reference must contain exactly one of file_id or image_url", path, "custom")


_FIELDS: dict[str, Check] = {
    "model": _text(),
    "prompt": _text(LONGEST_PROMPT),
    "duration": _number(1, 120),
    "seconds": _one_of("4", "8", "12", "16", "20"),
    "size": _text(),
    "resolution": _text(),
    "aspect_ratio": _text(),
    "input_reference": _reference,
    "input_references": _kind(list, "array"),
    "input_video_duration": _number(0, 3600, whole=False),
    "input_audio_duration": _number(2, 20, whole=False),
    "sample_count": _number(1, 4),
    "seed": _number(),
    "negative_prompt": _text(),
    "generate_audio": _kind(bool, "boolean"),
    "enhance_prompt": _kind(bool, "boolean"),
    "compression_quality": _number(0, 100),
    "person_generation": _text(),
    "resize_mode": _text(),
    "provider_params": _provider_params,
    "output": _strict({"access": _one_of("bytes", "signed_url", "both")}),
    "webhook": _strict({"endpoint_id": _text(), "events": _events}, required=("endpoint_id",)),
    "provider": _kind(dict, "object"),
    "routing": _kind(dict, "object"),
    "debug": _kind(dict, "object"),
    "beta": _kind(dict, "object"),
    "echo_upstream_request": _kind(bool, "boolean"),
}
_schema = _strict(_FIELDS)


def problems(body: Any) -> list[Issue]:
    """Everything wrong with a create body; an empty list when it is fine."""
    found = list(_schema(body, []))
    if found:
        return found
    if not body.get("prompt") and not body.get("input_reference") and not body.get("input_references"):
        found.append(
            issue("prompt is required unless an image input reference is provided", ["prompt"], "custom")
        )
    if "size" in body and ("resolution" in body or "aspect_ratio" in body):
        found.append(issue("size cannot be combined with resolution or aspect_ratio", ["size"], "custom"))
    return found


def describe(first: Issue) -> str:
    """The `description` of an error: its first problem and where it is."""
    path = ".".join(str(step) for step in first["path"])
    return f"{first['message']} at {path}" if path else str(first["message"])
