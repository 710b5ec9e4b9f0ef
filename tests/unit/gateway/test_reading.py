"""JSON that somebody else wrote is read or refused, never stumbled over."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gateway import reading

UNREADABLE = {
    "nothing": b"",
    "not UTF-8": b'{"a": "\xff"}',
    "a byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "cut": b'{"a": ',
    "just too deep": b"[" * 66 + b"]" * 66,
    "far too deep": b"[" * 200_000,
    "deep objects": b'{"a":' * 5000,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_is_no_json_is_refused_by_one_error(body: bytes) -> None:
    with pytest.raises(reading.Unreadable):
        reading.decode(body)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[NaN, Infinity, -Infinity, 1e999]", [None, None, None, None]),
        ("[" + "9" * 5000 + "]", [None]),
        ("[" + "9" * 30 + "]", [1e30]),
        ('"a\\u0000b"', "a\ufffdb"),
        ('"\\ud83d\\ude00 \\ud800"', "\U0001f600 ?"),
        ('"\\\\u0000"', "\\u0000"),
        ('"\\u0000\\\\\\u0000"', "\ufffd\\\ufffd"),
    ],
)
def test_what_a_database_would_refuse_is_taken_out(text: str, value: Any) -> None:
    assert reading.decode(text.encode()) == value


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(reading.Unreadable):
        reading.decode(body)


@given(st.text(max_size=64))
def test_ordinary_text_survives(text: str) -> None:
    text = text.replace("\x00", "").replace("\\", "")
    assert reading.decode(json.dumps(text).encode()) == text


@pytest.mark.parametrize(
    "value", ["", "a/b", "../x", "a b", "x" * 129, "G-1\n", "é", "a?b", 7, None, ["G-1"]]
)
def test_what_could_not_be_an_id_is_none(value: Any) -> None:
    assert reading.gateway_id(value) is None


def test_the_ids_of_the_gateway_are_ids() -> None:
    assert reading.gateway_id("G-01K3ZQ8W6X2M5N7P9R1T3V5Y7Z") == "G-01K3ZQ8W6X2M5N7P9R1T3V5Y7Z"


def test_a_word_is_cut_at_its_limit() -> None:
    assert reading.word("x" * 65, reading.STATUS) == "x" * 64
    assert reading.word(10**18, 4) == "1000"
    assert reading.first_word({"a": " ", "b": "x" * 9}, "a", "b", limit=3) == "xxx"
