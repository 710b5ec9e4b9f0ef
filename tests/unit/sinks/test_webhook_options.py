"""What a receiver of signed calls can be told."""

import base64
from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.sinks.webhook import WebhookSink
from orchestrator.sinks.webhook_options import WebhookOptions


def secret(length: int = 24, letter: bytes = b"k") -> str:
    return "whsec_" + base64.b64encode(letter * length).decode()


PLAIN: dict[str, Any] = {"url": "https://example.com/hook", "secrets": [secret()]}


def test_what_a_file_says_is_enough() -> None:
    told = PLAIN | {
        "url": "http://10.0.0.7:8080/hook",
        "timeout_seconds": 5,
        "allow": ["10.0.0.0/8", "fd00::/8", "192.168.0.1"],
        "allow_http": True,
        "headers": {"Authorization": "Bearer abc"},
    }
    options = WebhookSink.Options.model_validate(told)
    assert [str(network) for network in options.allow] == ["10.0.0.0/8", "fd00::/8", "192.168.0.1/32"]
    assert options.timeout_seconds == 5.0
    assert WebhookOptions.model_validate(PLAIN).timeout_seconds == 15.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"secrets": []},
        {"secrets": [secret()] * 9},
        {"secrets": [secret(23)]},
        {"secrets": [secret(65)]},
        {"secrets": [secret().removeprefix("whsec_")]},
        {"secrets": [secret(25).rstrip("=")]},
        {"secrets": ["whsec_" + base64.urlsafe_b64encode(b"\xff" * 24).decode()]},
        {"secrets": [secret() + "\n"]},
        {"secrets": [secret(), "whsec_"]},
        {"timeout_seconds": 0},
        {"timeout_seconds": 31},
        {"timeout_seconds": float("nan")},
        {"allow": ["10.0.0.1/8"]},
        {"allow": ["example.com"]},
        {"headers": {"webhook-id": "mine"}},
        {"headers": {"Content-Type": "text/plain"}},
        {"headers": {"Host": "internal"}},
        {"headers": {"a b": "c"}},
        {"headers": {"x": "a\r\nb: c"}},
        {"headers": {"x": ""}},
        {"headers": {"x": "é"}},
        {"url": "http://example.com/"},
        {"url": "https://127.0.0.1/"},
        {"url": "https://u:p@example.com/"},
        {"unknown": 1},
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_without_repeating_a_secret(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        WebhookOptions.model_validate(PLAIN | wrong)
    said = str(refused.value)
    assert "a2tr" not in said, "base64 of the key"
    assert "p@" not in said


def test_no_secret_is_shown() -> None:
    options = WebhookOptions.model_validate(PLAIN | {"headers": {"Authorization": "Bearer hush-hush"}})
    for shown in (repr(options), str(options.model_dump()), options.model_dump_json()):
        assert "a2tr" not in shown
        assert "hush" not in shown


def test_what_must_not_come_back_is_known_in_each_of_its_parts() -> None:
    options = WebhookOptions.model_validate(
        PLAIN | {"url": "https://example.com/?key=long-enough&v=1", "headers": {"x": "Bearer hush-hush"}}
    )
    assert options.hidden() == {PLAIN["secrets"][0][6:], "Bearer hush-hush", "hush-hush", "long-enough"}
