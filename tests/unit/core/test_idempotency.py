"""Idempotency keys: which there are, and what is the same request."""

import re

import pytest

from orchestrator.core.idempotency import PATTERN, fingerprint, read_key


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ('"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (r'"a\"b\\c"', r'a"b\c'),
        ("x" * 255, "x" * 255),
        (f'"{"x" * 255}"', "x" * 255),
    ],
)
def test_a_key_is_the_same_with_quotes_and_without(header: str, key: str) -> None:
    assert re.match(PATTERN, header)
    assert read_key(header) == key


@pytest.mark.parametrize("header", ["", '"', '""', '"a', "a b", '"a b"', '"a";b', "ä", "x" * 256, "a\n"])
def test_what_is_no_key_does_not_fit(header: str) -> None:
    assert not re.fullmatch(PATTERN, header)


def test_the_same_request_has_the_same_fingerprint_in_whatever_order() -> None:
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    assert len({fingerprint(one) for one in ({"a": 1}, {"a": "1"}, {"a": [1]}, {"a": None}, {})}) == 5
