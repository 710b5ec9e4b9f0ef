"""Which requests are refused before they are kept, and that all others are passed on."""

from typing import Any

import pytest

from orchestrator.core.gateway_request import wrong_places

WHOLE = {
    "model": "google/veo-3.1-lite",
    "prompt": "p" * 32_000,
    "duration": 120,
    "seconds": "4",
    "resolution": "720p",
    "aspect_ratio": "16:9",
    "input_reference": {"image_url": "https://example.com/a.png"},
    "input_references": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}],
    "input_video_duration": 0.5,
    "input_audio_duration": 20,
    "sample_count": 4,
    "seed": -(2**40),
    "negative_prompt": "",
    "generate_audio": True,
    "enhance_prompt": False,
    "compression_quality": 100,
    "person_generation": "allow_adult",
    "resize_mode": "pad",
    "provider_params": {"any": "thing"},
    "output": {"access": "both"},
    "provider": {"order": ["a"]},
    "what_comes_later": [1],
}


def wrong(**fields: Any) -> list[str]:
    return [place.at for place in wrong_places({"model": "m", **fields})]


def test_a_whole_request_is_right() -> None:
    assert list(wrong_places(WHOLE)) == []


@pytest.mark.parametrize("name", ["what_comes_later", "duration_seconds", "session_id"])
def test_what_is_not_known_is_for_the_gateway_to_judge(name: str) -> None:
    assert wrong(**{name: object()}) == []


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("prompt", ["p" * 32_001, None, 7]),
        ("duration", [0, 121, 8.0, "8", True, None]),
        ("seconds", [4, "5", "", None]),
        ("size", [1, None]),
        ("resolution", [720]),
        ("input_reference", ["https://example.com", []]),
        ("input_references", [{}, ["x"], [[]]]),
        ("input_video_duration", [0, 3_601, "1", True]),
        ("input_audio_duration", [1.9, 20.1, None]),
        ("sample_count", [0, 5, 1.0, "1", True]),
        ("seed", [1.5, "1", False]),
        ("generate_audio", [1, "true", None]),
        ("compression_quality", [-1, 101, "90"]),
        ("provider_params", [[], None]),
        ("output", ["both", {"access": "all"}, {"access": []}]),
        ("model", ["", 7, None, {}]),
    ],
)
def test_a_known_field_is_of_its_type(name: str, values: list[Any]) -> None:
    for value in values:
        assert wrong(**{name: value}) == [name], value


def test_a_model_must_be_named_and_no_webhook() -> None:
    assert [place.at for place in wrong_places({})] == ["model"]
    assert wrong(webhook={"endpoint_id": "x"}) == ["webhook"]


@pytest.mark.parametrize("other", ["resolution", "aspect_ratio"])
def test_a_size_is_said_in_one_way(other: str) -> None:
    assert wrong(size="1280x720", **{other: "x"}) == ["size"]
