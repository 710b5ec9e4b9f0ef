"""What a gateway request looks like, as far as it is sure (gateway contract 1.1). Pure.

A field that is not named here is passed on as it is: the gateway judges it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from orchestrator.errors import Place

LONGEST_PROMPT = 32_000
SECONDS = ("4", "8", "12", "16", "20")
ACCESSES = ("bytes", "signed_url", "both")

Rule = tuple[Callable[[Any], bool], str]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _within(low: float, high: float, *, whole: bool = True) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        number = _integer(value) or (not whole and isinstance(value, float))
        return number and low <= value <= high

    return fits


TEXT: Rule = (_text, "it is a text")
FLAG: Rule = (lambda value: isinstance(value, bool), "it is true or false")
OBJECT: Rule = (lambda value: isinstance(value, dict), "it is an object")

RULES: Mapping[str, Rule] = {
    "model": (
        lambda value: _text(value) and bool(value),
        "it names a model, for example google/veo-3.1-lite",
    ),
    "prompt": (
        lambda value: _text(value) and len(value) <= LONGEST_PROMPT,
        f"it is a text of at most {LONGEST_PROMPT} characters",
    ),
    "duration": (_within(1, 120), "it is a whole number from 1 to 120"),
    "seconds": (lambda value: value in SECONDS, f"it is one of the texts {', '.join(SECONDS)}"),
    "size": TEXT,
    "resolution": TEXT,
    "aspect_ratio": TEXT,
    "input_reference": OBJECT,
    "input_references": (
        lambda value: isinstance(value, list) and all(isinstance(one, dict) for one in value),
        "it is a list of objects",
    ),
    "input_video_duration": (
        lambda value: _within(0, 3_600, whole=False)(value) and value > 0,
        "it is a number above 0, up to 3600",
    ),
    "input_audio_duration": (_within(2, 20, whole=False), "it is a number from 2 to 20"),
    "sample_count": (_within(1, 4), "it is a whole number from 1 to 4"),
    "seed": (_integer, "it is a whole number"),
    "negative_prompt": TEXT,
    "generate_audio": FLAG,
    "enhance_prompt": FLAG,
    "compression_quality": (_within(0, 100, whole=False), "it is a number from 0 to 100"),
    "person_generation": TEXT,
    "resize_mode": TEXT,
    "provider_params": OBJECT,
    "output": (
        lambda value: isinstance(value, dict) and value.get("access", "both") in ACCESSES,
        f"it is an object whose `access` is one of {', '.join(ACCESSES)}",
    ),
}


def wrong_places(request: Mapping[str, Any]) -> Iterator[Place]:
    """Everything about it that the gateway would surely refuse."""
    if "webhook" in request:
        yield Place("webhook", "the request has a `webhook`: leave it out, the orchestrator adds its own")
    if "model" not in request:
        yield Place("model", "there is none; name one, for example google/veo-3.1-lite")
    for name, (fits, words) in RULES.items():
        if name in request and not fits(request[name]):
            yield Place(name, words)
    if "size" in request and ("resolution" in request or "aspect_ratio" in request):
        yield Place("size", "it goes with neither `resolution` nor `aspect_ratio`")
